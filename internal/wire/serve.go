package wire

import (
	"container/list"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Server accepts connections.
type Server struct {
	ln      net.Listener
	set     *settings
	handler Handler
	running sync.WaitGroup // accept, and one for each connection
	quit    chan struct{}

	mu     sync.Mutex // guards what follows
	closed bool
	shakes list.List // of net.Conn in their handshake, the oldest first
	conns  map[*Conn]struct{}
	places int // taken by conns, and by handshakes that are through
}

// Serve accepts connections on ln and gives what they ask to the handler. With
// no error ln belongs to the server. Close ends it.
func Serve(ln net.Listener, cfg Config, handler Handler) (*Server, error) {
	set, err := newSettings(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{ln: ln, set: set, handler: handler, quit: make(chan struct{}), conns: make(map[*Conn]struct{})}
	s.running.Add(1)
	go s.accept() // ends with the listener
	return s, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close ends the listener and all connections, as Conn.Close does, and returns
// when all of the server's goroutines have ended. It may be called several
// times, but not from the handler.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.quit)
	}
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	for e := s.shakes.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
	s.mu.Unlock()
	_ = s.ln.Close()
	var closing sync.WaitGroup
	for _, c := range conns {
		closing.Go(c.Close) // see there how long it takes at most
	}
	closing.Wait()
	s.running.Wait()
}

func (s *Server) accept() {
	defer s.running.Done()
	const least, most = 5 * time.Millisecond, time.Second
	wait := least
	for {
		nc, err := s.ln.Accept()
		if err == nil {
			wait = least
			s.admit(nc)
			continue
		}
		select {
		case <-s.quit:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			s.set.log.warn(aboutConns, "wire: the listener was closed: no more connections", "addr", s.ln.Addr().String())
			return
		}
		// Out of file descriptors, for instance: it may pass.
		s.set.log.warn(aboutConns, "wire: accepting failed", "err", err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.quit:
			t.Stop()
			return
		}
		wait = min(2*wait, most)
	}
}

// admit starts a handshake. Where too many are under way the oldest is cut off:
// a peer's takes milliseconds, so it is most likely a stranger who says nothing.
func (s *Server) admit(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close()
		return
	}
	if s.shakes.Len() >= s.set.MaxHandshakes {
		_ = s.shakes.Remove(s.shakes.Front()).(net.Conn).Close()
	}
	e := s.shakes.PushBack(nc)
	s.running.Add(1)
	go func() { // ends with the connection
		defer s.running.Done()
		s.handle(nc, e)
	}()
}

// reserve takes a place for a connection, if there is one.
func (s *Server) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.places >= s.set.MaxConns {
		return false
	}
	s.places++
	return true
}

// handle runs one connection, from its handshake to its end.
func (s *Server) handle(nc net.Conn, at *list.Element) {
	keepAlive(nc)
	reserved := false
	e, err := shake(nc, s.set, time.Now().Add(s.set.HandshakeTimeout), func() bool {
		reserved = s.reserve()
		return reserved
	})
	if err != nil {
		s.refused(nc, err)
		parting(nc, err)
	}
	var c *Conn
	s.mu.Lock()
	s.shakes.Remove(at) // it may be out already: cut off
	if err == nil && !s.closed {
		c = newConn(s.set, s.handler, e)
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if c != nil {
		c.run()
	}
	_ = nc.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if reserved {
		s.places--
	}
}

func (s *Server) refused(nc net.Conn, err error) {
	peer := nc.RemoteAddr().String()
	switch {
	case errors.Is(err, errFull):
		s.set.log.warn(aboutPeers, "wire: refused a connection: there are too many", "peer", peer, "limit", s.set.MaxConns)
	case errors.Is(err, ErrVersion), errors.Is(err, ErrSecret):
		s.set.log.warn(aboutPeers, "wire: cannot talk to a peer", "peer", peer, "err", err)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		s.set.log.debug("wire: a connection was closed before it began", "peer", peer, "err", err)
	default:
		s.set.log.warn(aboutStrangers, "wire: refused a connection", "peer", peer, "err", err)
	}
}

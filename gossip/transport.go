package gossip

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// The bounds of what strangers can make a node hold. memberlist answers up to
// 128 state exchanges at once.
const (
	maxStreams     = 128
	maxStreamBytes = 64 << 20 // read and not yet let go, in all incoming streams
)

// How long a stream may take to be made, and to be used unless memberlist sets
// its own deadline.
const (
	dialFor   = 3 * time.Second
	streamFor = 10 * time.Second
)

var (
	errStreams     = errors.New("too many incoming streams, one is refused")
	errStreamBytes = errors.New("incoming streams hold too many bytes, one is ended")
)

// transport stands between memberlist and the network. It bounds the incoming
// streams, and it knows every open one, so that closing the node ends all that
// memberlist has under way instead of leaving it to run into its timeouts.
type transport struct {
	memberlist.Transport
	dial func(ctx context.Context, a memberlist.Address, timeout time.Duration) (net.Conn, error)
	warn func(error)

	ctx     context.Context // ends with the transport
	cancel  context.CancelFunc
	streams chan net.Conn
	quit    chan struct{} // ends pump, once the network below is down
	pumped  chan struct{} // closed when pump has ended
	once    sync.Once
	err     error

	mu    sync.Mutex // guards all below
	conns map[*stream]struct{}
	in    int // of conns, those that others opened
	bytes int // read from them
	down  bool
	idle  chan struct{} // closed when down and no conns are left
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func newTransport(below memberlist.Transport, warn func(error)) *transport {
	t := &transport{
		Transport: below, warn: warn,
		streams: make(chan net.Conn), quit: make(chan struct{}), pumped: make(chan struct{}),
		conns: make(map[*stream]struct{}), idle: make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	switch b := below.(type) {
	case *memberlist.NetTransport: // the same as its own, but it can be ended
		t.dial = func(ctx context.Context, a memberlist.Address, timeout time.Duration) (net.Conn, error) {
			d := net.Dialer{Timeout: timeout}
			return d.DialContext(ctx, "tcp", a.Addr)
		}
	case memberlist.NodeAwareTransport:
		t.dial = func(_ context.Context, a memberlist.Address, timeout time.Duration) (net.Conn, error) {
			return b.DialAddressTimeout(a, timeout)
		}
	default:
		t.dial = func(_ context.Context, a memberlist.Address, timeout time.Duration) (net.Conn, error) {
			return b.DialTimeout(a.Addr, timeout)
		}
	}
	go t.pump() // ended by Shutdown
	return t
}

// WriteToAddress sends a packet.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if n, ok := t.Transport.(memberlist.NodeAwareTransport); ok {
		return n.WriteToAddress(b, a)
	}
	return t.WriteTo(b, a.Addr)
}

// DialTimeout opens a stream.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a stream.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	s := &stream{t: t}
	if err := t.add(s); err != nil {
		return nil, err
	}
	c, err := t.dial(t.ctx, a, min(timeout, dialFor))
	if err == nil {
		err = s.connect(c)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	_ = s.SetDeadline(time.Now().Add(streamFor)) // memberlist sets none for messages
	return s, nil
}

// StreamCh gives memberlist the streams that others open.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

func (t *transport) pump() {
	defer close(t.pumped)
	for {
		select {
		case <-t.quit:
			return
		case c := <-t.Transport.StreamCh():
			s := &stream{Conn: c, t: t, in: true}
			if err := t.add(s); err != nil {
				if errors.Is(err, errStreams) {
					t.warn(err)
				}
				_ = c.Close()
				continue
			}
			select {
			case t.streams <- s:
			case <-t.ctx.Done():
				_ = s.Close()
			}
		}
	}
}

func (t *transport) add(s *stream) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.down:
		return net.ErrClosed
	case s.in && t.in >= maxStreams:
		return errStreams
	case s.in:
		t.in++
	}
	t.conns[s] = struct{}{}
	return nil
}

// Shutdown closes the network and ends every stream. It may be called many
// times.
func (t *transport) Shutdown() error {
	t.once.Do(func() {
		t.cancel()
		t.mu.Lock()
		t.down = true
		for s := range t.conns {
			if s.Conn != nil {
				_ = s.Conn.Close()
			}
		}
		if len(t.conns) == 0 {
			close(t.idle)
		}
		t.mu.Unlock()
		t.err = t.Transport.Shutdown()
		close(t.quit)
		<-t.pumped
	})
	return t.err
}

// discard shuts down a transport that no memberlist reads from.
func (t *transport) discard() {
	done := make(chan struct{})
	go func() { // ended below
		for {
			select {
			case <-t.PacketCh():
			case <-done:
				return
			}
		}
	}()
	_ = t.Shutdown()
	close(done)
}

// stream is a connection that the transport keeps count of.
type stream struct {
	net.Conn // nil while it is being made; set under t.mu, before anybody else has it
	t        *transport
	in       bool
	held     int  // bytes read, guarded by t.mu
	gone     bool // guarded by t.mu
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if !s.in || n == 0 {
		return n, err
	}
	s.t.mu.Lock()
	over := false
	if !s.gone {
		s.held += n
		s.t.bytes += n
		over = s.t.bytes > maxStreamBytes
	}
	s.t.mu.Unlock()
	if over {
		s.t.warn(errStreamBytes)
		return 0, errStreamBytes
	}
	return n, err
}

// connect gives s its connection, unless the transport has been shut down.
func (s *stream) connect(c net.Conn) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.t.down {
		_ = c.Close()
		return net.ErrClosed
	}
	s.Conn = c
	return nil
}

func (s *stream) Close() error {
	s.t.mu.Lock()
	if !s.gone {
		s.gone = true
		delete(s.t.conns, s)
		if s.in {
			s.t.in--
			s.t.bytes -= s.held
		}
		if s.t.down && len(s.t.conns) == 0 {
			close(s.t.idle)
		}
	}
	s.t.mu.Unlock()
	if s.Conn == nil {
		return nil
	}
	return s.Conn.Close()
}

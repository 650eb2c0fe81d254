package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// sealSize is how much is encrypted at a time, and writeSize how much is
	// written under one deadline.
	sealSize  = 64 << 10
	writeSize = 64 << 10
	// bareSize is how much a system call that does not wait is given at a time.
	bareSize = 64 << 10
	// maxSealed bounds what TLS may have to say by itself.
	maxSealed = 1 << 20
)

// sink brings a batch into the socket, through TLS where there is one. It is
// used by whoever has the right to write; only close is for all.
type sink struct {
	nc   net.Conn
	tls  *tls.Conn // nil: plain
	seal *sealed
	raw  attempt

	plain []byte // of the batch, not yet encrypted
	ready []byte // for the socket
}

func newSink(nc net.Conn, seal *sealed, tc *tls.Conn) *sink {
	s := &sink{nc: nc, tls: tc, seal: seal}
	s.raw.init(nc)
	return s
}

func (s *sink) load(batch []byte) {
	if s.tls == nil {
		s.ready = batch
	} else {
		s.plain = batch
	}
}

// more makes the next bytes ready; false if the batch is through.
func (s *sink) more() (bool, error) {
	if len(s.ready) > 0 {
		return true, nil
	}
	if len(s.plain) == 0 {
		s.plain, s.ready = nil, nil
		return false, nil
	}
	chunk := s.plain[:min(len(s.plain), sealSize)]
	s.plain = s.plain[len(chunk):]
	if _, err := s.tls.Write(chunk); err != nil { // into seal: it does not block
		return false, err
	}
	s.ready = s.seal.take()
	return true, nil
}

// try writes what the socket takes at once, and tells whether that was all.
func (s *sink) try() (done bool, err error) {
	if !s.raw.able() {
		return false, nil
	}
	for {
		if some, err := s.more(); !some {
			return err == nil, err
		}
		some := s.ready[:min(len(s.ready), bareSize)]
		n, err := s.raw.write(some)
		if err != nil {
			return false, err
		}
		s.ready = s.ready[n:]
		if n < len(some) {
			return false, nil
		}
	}
}

// write writes a part of the batch, waiting if it must, and tells whether that
// was the last.
func (s *sink) write(timeout time.Duration) (done bool, err error) {
	if done, err := s.try(); done || err != nil {
		return done, err // a deadline costs more than it
	}
	if some, err := s.more(); !some {
		return err == nil, err
	}
	if err := s.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return false, err
	}
	n, err := s.nc.Write(s.ready[:min(len(s.ready), writeSize)])
	if err != nil {
		return false, err
	}
	s.ready = s.ready[n:]
	// The deadline would hold for try too.
	return false, s.nc.SetWriteDeadline(time.Time{})
}

// left is how much of the batch is still to be written. What is encrypted
// counts as written: it is not much.
func (s *sink) left() int {
	if s.tls == nil {
		return len(s.ready)
	}
	return len(s.plain)
}

func (s *sink) close() { _ = s.nc.Close() }

// sealed stands between TLS and the socket. After the handshake it keeps what
// TLS writes, so that encrypting never waits for the peer and many records go
// in one system call.
type sealed struct {
	net.Conn
	from io.Reader // the socket

	mu      sync.Mutex // guards what follows; TLS may write from its Read too
	keeping bool
	kept    []byte
	given   []byte // what take returned last
}

var errSealed = errors.New("wire: the peer makes TLS answer without end")

func (s *sealed) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeping = true
}

// Read implements net.Conn, for TLS.
func (s *sealed) Read(b []byte) (int, error) { return s.from.Read(b) }

// Write implements net.Conn, for TLS.
func (s *sealed) Write(b []byte) (int, error) {
	s.mu.Lock()
	if !s.keeping {
		s.mu.Unlock()
		return s.Conn.Write(b)
	}
	defer s.mu.Unlock()
	if len(s.kept)+len(b) > maxSealed {
		return 0, errSealed
	}
	s.kept = append(s.kept, b...)
	return len(b), nil
}

// take returns what was kept. It is valid until the next take.
func (s *sealed) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.given = s.given[:0], s.kept
	return s.given
}

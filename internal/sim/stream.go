package sim

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// maxSegment is the longest piece that a stream sends as one.
const maxSegment = 64 << 10

// end is one side of a stream, and the net.Conn that its process has.
// Network.mu guards it.
type end struct {
	net           *Network
	proc          *Process
	local, remote netip.AddrPort
	peer          *end
	out           pipe

	in      []byte // arrived and not read
	eof     bool   // nothing more comes
	made    bool   // the peer has accepted
	shut    bool   // nothing more goes
	closed  bool   // the process has closed it
	abrupt  bool   // closing is to reset it
	err     error  // it is broken, and this is why
	changed signal // something above has

	readBy, writeBy time.Time // deadlines
}

// signal wakes all who wait for it.
type signal struct{ ch chan struct{} }

func (s *signal) wait() <-chan struct{} {
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) tell() {
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

func (e *end) tell() { e.changed.tell() }

// await unlocks mu until something has changed, the process goes on, or by has
// come, and locks it again.
func (p *Process) await(s *signal, by time.Time) {
	var late <-chan time.Time
	ch := s.wait()
	if p.frozen != nil {
		ch, by = p.frozen, time.Time{}
	}
	p.net.mu.Unlock()
	defer p.net.mu.Lock()
	if !by.IsZero() {
		t := time.NewTimer(time.Until(by))
		defer t.Stop()
		late = t.C
	}
	select {
	case <-ch:
	case <-late:
	}
}

func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// Read implements net.Conn.
func (e *end) Read(b []byte) (int, error) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	for {
		switch {
		case e.closed, !e.proc.alive:
			return 0, e.opError("read", net.ErrClosed)
		case e.proc.frozen != nil:
		case past(e.readBy):
			return 0, e.opError("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case e.abrupt || len(e.in) > 0:
			return e.take(b), nil
		case e.eof:
			return 0, io.EOF
		case e.err != nil:
			return 0, e.opError("read", e.err)
		}
		e.proc.await(&e.changed, e.readBy)
	}
}

// take reads what is there and makes room for the peer, which learns of it where
// the way there is open.
func (e *end) take(b []byte) int {
	k := copy(b, e.in)
	if e.in = e.in[k:]; len(e.in) == 0 {
		e.in = nil
	}
	from := &e.peer.out
	if e.net.way(e.proc.host.name, e.peer.proc.host.name).Cut == Open && !e.out.swallowed {
		e.peer.tell()
	} else {
		from.held += k
	}
	return k
}

// Write implements net.Conn.
func (e *end) Write(b []byte) (int, error) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	done := 0
	for {
		switch {
		case e.closed, !e.proc.alive:
			return done, e.opError("write", net.ErrClosed)
		case e.proc.frozen != nil:
		case past(e.writeBy):
			return done, e.opError("write", os.ErrDeadlineExceeded)
		case e.err != nil:
			return done, e.opError("write", e.err)
		case e.shut:
			return done, e.opError("write", syscall.EPIPE)
		case done == len(b):
			return done, nil
		default:
			if k := min(len(b)-done, e.room(), maxSegment); k > 0 {
				e.out.send(segment{data: append([]byte(nil), b[done:done+k]...)})
				done += k
				continue
			}
		}
		e.proc.await(&e.changed, e.writeBy)
	}
}

// room is how many bytes more the stream takes.
func (e *end) room() int { return e.net.cfg.Buffer - e.out.size - len(e.peer.in) - e.out.held }

// CloseWrite says that nothing more will come.
func (e *end) CloseWrite() error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	switch {
	case e.closed, !e.proc.alive:
		return e.opError("close", net.ErrClosed)
	case e.err != nil:
		return e.opError("close", e.err)
	case !e.shut:
		e.shut = true
		e.out.send(segment{fin: true})
		e.tell()
	}
	return nil
}

// SetLinger is as that of a net.TCPConn: after SetLinger(0) Close resets the
// stream, and what is under way is lost. Other values change nothing.
func (e *end) SetLinger(sec int) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed || !e.proc.alive {
		return e.opError("set", net.ErrClosed)
	}
	e.abrupt = sec == 0
	return nil
}

// Close implements net.Conn. Where something has come that was not read, or the
// process wants it, the stream is reset; else what was written still goes its way.
func (e *end) Close() error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed || !e.proc.alive {
		return e.opError("close", net.ErrClosed)
	}
	e.closed = true
	switch {
	case e.err != nil:
	case len(e.in) > 0:
		e.sendReset()
		e.fail(net.ErrClosed)
	case !e.shut:
		e.shut = true
		e.out.send(segment{fin: true})
	}
	e.forgetIfDone()
	e.tell()
	return nil
}

// forgetIfDone takes the end out of its process when nothing can happen to it
// any longer.
func (e *end) forgetIfDone() {
	if e.closed && (e.err != nil || len(e.out.queue) == 0) {
		e.proc.ends = slices.DeleteFunc(e.proc.ends, func(o *end) bool { return o == e })
	}
}

// fail breaks this side of the stream.
func (e *end) fail(err error) {
	if e.err != nil {
		return
	}
	e.err = err
	e.net.stats.Resets++
	e.out.drop()
	e.forgetIfDone()
	e.tell()
}

// drop ends this side with its process.
func (e *end) drop() {
	e.out.drop()
	e.in = nil
	e.proc.ends = slices.DeleteFunc(e.proc.ends, func(o *end) bool { return o == e })
	e.tell()
}

// sendReset lets the peer's side fail, unless the way there is cut just then.
func (e *end) sendReset() {
	if e.err != nil {
		return
	}
	n, peer := e.net, e.peer
	from, to := e.proc.host.name, peer.proc.host.name
	n.at(n.way(from, to).travel(n.now(), 0), func() {
		if n.way(from, to).Cut == Open && !e.out.swallowed && peer.proc.reachable(peer.local.Addr()) {
			peer.fail(syscall.ECONNRESET)
		}
	})
}

// gone tells whether the process does not know this end any longer.
func (e *end) gone() bool { return e.closed || !e.proc.alive || e.err != nil }

// reachable tells whether what is sent to that address comes to the process's
// host.
func (p *Process) reachable(at netip.Addr) bool {
	return p.host.power && p.net.byAddr[at] == p.host
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(e.local) }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(e.remote) }

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error { return e.setDeadlines(&t, &t) }

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error { return e.setDeadlines(&t, nil) }

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error { return e.setDeadlines(nil, &t) }

func (e *end) setDeadlines(read, write *time.Time) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed || !e.proc.alive {
		return e.opError("set", net.ErrClosed)
	}
	if read != nil {
		e.readBy = *read
	}
	if write != nil {
		e.writeBy = *write
	}
	e.tell()
	return nil
}

func (e *end) opError(op string, err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		err = os.NewSyscallError(op, err)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: e.LocalAddr(), Addr: e.RemoteAddr(), Err: err}
}

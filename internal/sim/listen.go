package sim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	maxBacklogged = 1024 // connections that wait to be accepted
	firstSyn      = time.Second
)

// Listener is where a process accepts streams. It implements net.Listener.
type Listener struct {
	proc *Process
	addr netip.AddrPort

	// Network.mu guards what follows.
	backlog []*end
	closed  bool
	changed signal
}

// Listen listens on a port of the process's host; port 0 takes a free one.
func (p *Process) Listen(_ context.Context, _, addr string) (net.Listener, error) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	return p.listen(addr)
}

func (p *Process) listen(addr string) (*Listener, error) {
	at, err := p.bindable(addr)
	if err != nil {
		return nil, err
	}
	l := &Listener{proc: p, addr: at}
	p.host.listeners[at.Port()] = l
	p.listeners = append(p.listeners, l)
	return l, nil
}

// bindable is the address to listen on.
func (p *Process) bindable(addr string) (netip.AddrPort, error) {
	fail := func(err error) (netip.AddrPort, error) {
		return netip.AddrPort{}, &net.OpError{Op: "listen", Net: "tcp", Err: fmt.Errorf("%s: %w", addr, err)}
	}
	at, err := netip.ParseAddrPort(addr)
	switch {
	case err != nil:
		return fail(err)
	case !p.alive:
		return fail(net.ErrClosed)
	case at.Addr() != p.addr:
		return fail(os.NewSyscallError("bind", syscall.EADDRNOTAVAIL))
	case at.Port() == 0:
		at = netip.AddrPortFrom(at.Addr(), p.host.freePort())
	case p.host.listeners[at.Port()] != nil:
		return fail(os.NewSyscallError("bind", syscall.EADDRINUSE))
	}
	return at, nil
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	e, err := l.accept()
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (l *Listener) accept() (*end, error) {
	l.proc.net.mu.Lock()
	defer l.proc.net.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
		case l.proc.frozen != nil:
		case len(l.backlog) > 0:
			e := l.backlog[0]
			l.backlog = l.backlog[1:]
			return e, nil
		}
		l.proc.await(&l.changed, time.Time{})
	}
}

// Close implements net.Listener. Streams that were not accepted are reset.
func (l *Listener) Close() error {
	l.proc.net.mu.Lock()
	defer l.proc.net.mu.Unlock()
	if l.closed {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	l.close()
	return nil
}

func (l *Listener) close() {
	l.closed = true
	for _, e := range l.backlog {
		e.sendReset()
		e.closed = true
		e.fail(net.ErrClosed)
	}
	l.backlog = nil
	delete(l.proc.host.listeners, l.addr.Port())
	l.proc.listeners = slices.DeleteFunc(l.proc.listeners, func(o *Listener) bool { return o == l })
	l.changed.tell()
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// dialing is a stream that is being made.
type dialing struct {
	local *end
	to    netip.AddrPort
	err   error // refused
	over  bool  // made, refused or given up
}

// Dial connects to an ip:port, as net.Dialer.DialContext does.
func (p *Process) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	n := p.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for p.frozen != nil {
		p.await(&signal{}, time.Time{})
	}
	e := &end{net: n, proc: p, remote: to}
	e.out.from = e
	fail := func(err error) (net.Conn, error) { return nil, e.opError("dial", err) }
	if !p.alive {
		return fail(net.ErrClosed)
	}
	e.local = netip.AddrPortFrom(p.addr, p.host.freePort())
	d := &dialing{local: e, to: to}
	p.dials = append(p.dials, e)
	defer func() { p.dials = slices.DeleteFunc(p.dials, func(o *end) bool { return o == e }) }()
	d.try(firstSyn)
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		e.tell()
	})
	defer stop()
	for {
		err := ctx.Err()
		if err == nil && !p.alive {
			err = net.ErrClosed
		}
		if err == nil {
			err = d.err
		}
		switch {
		case p.frozen != nil:
		case err != nil:
			d.over = true
			if e.peer != nil {
				e.sendReset()
				e.closed = true
				e.fail(net.ErrClosed)
			}
			if ctx.Err() == context.DeadlineExceeded {
				err = os.ErrDeadlineExceeded
			}
			return fail(err)
		case e.made:
			d.over = true
			n.stats.Streams++
			return e, nil
		}
		p.await(&e.changed, time.Time{})
	}
}

// try knocks, and again some time later where nobody answers.
func (d *dialing) try(again time.Duration) {
	e := d.local
	n, from := e.net, e.proc.host
	n.at(n.now()+again, func() {
		if !d.over && e.peer == nil && d.err == nil {
			d.try(2 * again)
		}
	})
	h := n.byAddr[d.to.Addr()]
	if h == nil {
		return
	}
	w := n.way(from.name, h.name)
	at := w.travel(n.now(), 0)
	if w.loses() {
		return
	}
	n.at(at, func() {
		switch {
		case d.over || e.peer != nil || !e.proc.alive:
		case n.way(from.name, h.name).Cut == BlackHole, !h.power, n.byAddr[d.to.Addr()] != h:
		case n.way(from.name, h.name).Cut == Refuse, h.listeners[d.to.Port()] == nil:
			d.refuse(h)
		case len(h.listeners[d.to.Port()].backlog) < maxBacklogged:
			h.listeners[d.to.Port()].take(e)
		}
	})
}

func (d *dialing) refuse(h *Host) {
	e := d.local
	n, from := e.net, e.proc.host
	n.at(n.way(h.name, from.name).travel(n.now(), 0), func() {
		if n.way(h.name, from.name).Cut == Open && e.peer == nil {
			d.err = syscall.ECONNREFUSED
			e.tell()
		}
	})
}

// take makes the accepting end of a stream.
func (l *Listener) take(e *end) {
	p := l.proc
	o := &end{net: p.net, proc: p, local: l.addr, remote: e.local, peer: e, made: true}
	o.out.from = o
	e.peer = o
	p.ends = append(p.ends, o)
	e.proc.ends = append(e.proc.ends, e)
	l.backlog = append(l.backlog, o)
	o.out.send(segment{made: true})
	l.changed.tell()
}

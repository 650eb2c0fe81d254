package sim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	maxPacket  = 65507
	maxPackets = 1024 // that wait to be taken in
)

// Transport sends and receives packets, and streams on the port of the same
// number: it is what memberlist wants.
type Transport struct {
	*Listener
	packets chan *memberlist.Packet
	streams chan net.Conn
	quit    chan struct{} // closed by Shutdown
	ended   chan struct{} // closed when accept has ended

	// Network.mu guards what follows.
	over bool
	late []*memberlist.Packet // came while the process was frozen
}

var _ memberlist.Transport = (*Transport)(nil)

// Transport listens for packets and streams; port 0 takes a free one.
func (p *Process) Transport(addr string) (*Transport, error) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	l, err := p.listen(addr)
	if err != nil {
		return nil, err
	}
	t := &Transport{
		Listener: l, packets: make(chan *memberlist.Packet, maxPackets), streams: make(chan net.Conn),
		quit: make(chan struct{}), ended: make(chan struct{}),
	}
	p.host.sockets[l.addr.Port()] = t
	p.sockets = append(p.sockets, t)
	go t.accept() // ended by Shutdown, or with the process
	return t, nil
}

func (t *Transport) accept() {
	defer close(t.ended)
	for {
		c, err := t.Accept()
		if err != nil {
			return
		}
		select {
		case t.streams <- c:
		case <-t.quit:
			_ = c.Close()
			return
		}
	}
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.addr.Addr().AsSlice(), int(t.addr.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return now, fmt.Errorf("sim: %w", err)
	}
	if len(b) > maxPacket {
		return now, &net.OpError{Op: "write", Net: "udp", Err: syscall.EMSGSIZE}
	}
	n := t.proc.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.over || !t.proc.alive {
		return now, &net.OpError{Op: "write", Net: "udp", Err: net.ErrClosed}
	}
	n.stats.Packets++
	n.stats.InPackets += uint64(len(b))
	h := n.byAddr[to.Addr()]
	if h == nil || t.proc.frozen != nil {
		n.stats.Lost++
		return now, nil
	}
	w := n.way(t.proc.host.name, h.name)
	if w.free-n.now() > maxBacklog || w.loses() {
		n.stats.Lost++
		return now, nil
	}
	p := &memberlist.Packet{Buf: slices.Clone(b), From: net.UDPAddrFromAddrPort(t.addr)}
	n.at(w.travel(n.now(), len(b)), func() {
		s := h.sockets[to.Port()]
		if w.Cut != Open || !h.power || n.byAddr[to.Addr()] != h || s == nil || !s.deliver(p) {
			n.stats.Lost++
		}
	})
	return now, nil
}

// deliver gives a packet to the process, unless it is behind.
func (t *Transport) deliver(p *memberlist.Packet) bool {
	p.Timestamp = time.Now()
	if t.proc.frozen != nil {
		if len(t.late) >= maxPackets {
			return false
		}
		t.late = append(t.late, p)
		return true
	}
	select {
	case t.packets <- p:
		return true
	default:
		return false
	}
}

func (t *Transport) thaw() {
	for _, p := range t.late {
		if !t.deliver(p) {
			t.proc.net.stats.Lost++
		}
	}
	t.late = nil
}

// PacketCh implements memberlist.Transport.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh implements memberlist.Transport.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout implements memberlist.Transport.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return t.proc.Dial(ctx, "tcp", addr)
}

// Shutdown implements memberlist.Transport. It may be called many times.
func (t *Transport) Shutdown() error {
	t.proc.net.mu.Lock()
	t.close()
	t.proc.net.mu.Unlock()
	<-t.ended
	return nil
}

func (t *Transport) close() {
	if t.over {
		return
	}
	t.over = true
	close(t.quit)
	delete(t.proc.host.sockets, t.addr.Port())
	t.proc.sockets = slices.DeleteFunc(t.proc.sockets, func(o *Transport) bool { return o == t })
	if !t.Listener.closed {
		t.Listener.close()
	}
}

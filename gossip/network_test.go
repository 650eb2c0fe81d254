package gossip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// network is an in-memory network of hosts, each with one port. What is sent to
// a host that is gone or cut off is dropped, as on a real one.
type network struct {
	latency time.Duration

	mu    sync.Mutex // guards all below, and the hosts' fields
	hosts map[string]*host
	cut   func(from, to string) bool // nil: nothing is
	sent  int
}

func newNetwork() *network {
	return &network{latency: time.Millisecond, hosts: make(map[string]*host)}
}

// host is a memberlist.Transport.
type host struct {
	net     *network
	addr    netip.AddrPort
	packets chan *memberlist.Packet
	streams chan net.Conn
	gone    bool
	stalled time.Time // until then nothing reaches it
}

func (n *network) host(i int) *host {
	h := &host{
		net:     n,
		addr:    netip.MustParseAddrPort(fmt.Sprintf("10.0.%d.%d:%d", i/250, i%250+1, DefaultPort)),
		packets: make(chan *memberlist.Packet, 1024), streams: make(chan net.Conn),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[h.addr.String()] = h
	return h
}

func (n *network) setCut(cut func(from, to string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
}

func (n *network) packetsSent() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent
}

// way returns the host at to, how long the way takes, and whether it is open.
func (n *network) way(from, to string) (h *host, delay time.Duration, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut != nil && (n.cut(from, to) || n.cut(to, from)) {
		return nil, 0, false
	}
	h = n.hosts[to]
	if h == nil || h.gone {
		return nil, 0, true
	}
	return h, n.latency + max(0, time.Until(h.stalled)), true
}

func (h *host) stall(d time.Duration) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.stalled = time.Now().Add(d)
}

func (h *host) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.IP(h.addr.Addr().AsSlice()), int(h.addr.Port()), nil
}

func (h *host) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	h.net.mu.Lock()
	h.net.sent++
	h.net.mu.Unlock()
	to, delay, _ := h.net.way(h.addr.String(), addr)
	if to == nil {
		return now, nil
	}
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: net.UDPAddrFromAddrPort(h.addr)}
	time.AfterFunc(delay, func() {
		p.Timestamp = time.Now()
		select {
		case to.packets <- p:
		default:
		}
	})
	return now, nil
}

func (h *host) PacketCh() <-chan *memberlist.Packet { return h.packets }
func (h *host) StreamCh() <-chan net.Conn           { return h.streams }

func (h *host) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	to, delay, open := h.net.way(h.addr.String(), addr)
	if !open {
		<-limit.C
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
	}
	if to == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	select {
	case <-time.After(delay):
	case <-limit.C:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
	}
	here, there := net.Pipe()
	select {
	case to.streams <- &wire{there, h.net, addr, h.addr.String()}:
		return &wire{here, h.net, h.addr.String(), addr}, nil
	case <-limit.C:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
	}
}

func (h *host) Shutdown() error {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.gone = true
	return nil
}

// wire is one end of a stream. What is written to it while the way is cut is
// lost.
type wire struct {
	net.Conn
	net        *network
	here, peer string
}

func (w *wire) Write(b []byte) (int, error) {
	if _, _, open := w.net.way(w.here, w.peer); !open {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

func (w *wire) RemoteAddr() net.Addr {
	host, port, _ := net.SplitHostPort(w.peer)
	p, _ := strconv.Atoi(port)
	return &net.TCPAddr{IP: net.ParseIP(host), Port: p}
}

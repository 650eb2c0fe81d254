package sim

import (
	"fmt"
	"net/netip"
	"slices"
)

const firstPort = 32768

// Host is a machine. Network.mu guards it.
type Host struct {
	net       *Network
	name      string
	addr      netip.Addr
	power     bool
	clock     wallClock
	port      uint16 // the next that is given to who wants any
	processes []*Process
	listeners map[uint16]*Listener
	sockets   map[uint16]*Transport
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Addr returns the host's IP address.
func (h *Host) Addr() string {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.addr.String()
}

// settle gives the host its address.
func (h *Host) settle(addr netip.Addr) {
	if o := h.net.byAddr[addr]; o != nil && o != h {
		panic(fmt.Sprintf("sim: address %v of host %q is that of %q", addr, h.name, o.name))
	}
	delete(h.net.byAddr, h.addr)
	h.addr = addr
	h.net.byAddr[addr] = h
}

// Crash takes the host's power: its processes are gone with all that they had
// written and that has not arrived, and nobody is told.
func (h *Host) Crash() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if !h.power {
		return
	}
	h.power = false
	for len(h.processes) > 0 {
		h.processes[0].end()
	}
}

// Restart gives the host its power back, empty, under another address where one
// is given. From then on it answers with resets what is sent to processes that
// are gone.
func (h *Host) Restart(addr string) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	for len(h.processes) > 0 {
		h.processes[0].end()
	}
	if addr != "" {
		h.settle(netip.MustParseAddr(addr))
	}
	h.power = true
}

// Process starts a process on the host.
func (h *Host) Process() *Process {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	p := &Process{net: h.net, host: h, addr: h.addr, alive: h.power && !h.net.closed}
	if p.alive {
		h.processes = append(h.processes, p)
	}
	return p
}

// Process is what a program has of the network. Network.mu guards it.
type Process struct {
	net    *Network
	host   *Host
	addr   netip.Addr
	alive  bool
	frozen chan struct{} // closed when it is thawed; nil: it is not frozen

	ends      []*end // in the order in which they were made
	dials     []*end // that are still being made
	listeners []*Listener
	sockets   []*Transport
}

// Kill ends the process at once: what it had written and what has not arrived is
// lost, and its host resets its streams.
func (p *Process) Kill() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	for _, e := range p.ends {
		e.sendReset()
	}
	p.end()
}

// end makes the process gone.
func (p *Process) end() {
	if !p.alive {
		return
	}
	p.alive = false
	p.thaw()
	for _, e := range slices.Clone(p.ends) {
		e.drop()
	}
	for _, e := range p.dials {
		e.tell()
	}
	for _, l := range slices.Clone(p.listeners) {
		l.close()
	}
	for _, t := range slices.Clone(p.sockets) {
		t.close()
	}
	p.host.processes = slices.DeleteFunc(p.host.processes, func(o *Process) bool { return o == p })
	// Peers that nobody has told find out.
	n := p.net
	check := func(quiet bool) func() {
		return func() {
			for _, name := range n.names() {
				n.timeOut(name, p.host.name, quiet, true)
			}
		}
	}
	n.at(n.now()+keepAliveFor, check(true))
	n.at(n.now()+retransmitFor, check(false))
}

// Freeze cuts the process off from the network, while its host goes on taking in
// what comes for it.
func (p *Process) Freeze() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	if p.alive && p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw lets a frozen process go on.
func (p *Process) Thaw() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.thaw()
}

func (p *Process) thaw() {
	if p.frozen == nil {
		return
	}
	close(p.frozen)
	p.frozen = nil
	for _, t := range p.sockets {
		t.thaw()
	}
}

// freePort returns a port that nobody on the host listens on.
func (h *Host) freePort() uint16 {
	for {
		p := h.port
		if h.port++; h.port < firstPort {
			h.port = firstPort
		}
		if h.listeners[p] == nil && h.sockets[p] == nil {
			return p
		}
	}
}

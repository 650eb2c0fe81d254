package sim

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// Link is what one way between two hosts is like, in one direction.
type Link struct {
	Latency   time.Duration // at least
	Jitter    time.Duration // up to so much more, by chance
	Loss      float64       // of packets and of segments, 0 to 1; those of streams are sent again
	Bandwidth int           // bytes a second; 0: no limit
	Cut       Cut
}

// LAN is what lies between two machines in one room.
func LAN() Link { return Link{Latency: 200 * time.Microsecond, Jitter: 800 * time.Microsecond} }

// Cut says whether a way is open.
type Cut uint8

const (
	// Open lets everything through.
	Open Cut = iota
	// Refuse answers like a firewall that rejects: connections are refused,
	// streams reset.
	Refuse
	// BlackHole swallows everything and says nothing.
	BlackHole
)

const (
	// maxBacklog is how long packets may have to wait for bandwidth before they
	// are dropped.
	maxBacklog = 100 * time.Millisecond
	loopback   = 20 * time.Microsecond
	// When a stream gives up, counted from when it was cut off.
	keepAliveFor  = 35 * time.Second
	retransmitFor = 15 * time.Minute
	firstResend   = 200 * time.Millisecond
	lastResend    = 2 * time.Minute
)

// way is one direction between two hosts.
type way struct {
	Link
	rand  *rand.Rand
	free  time.Duration // when all that was sent so far has left
	epoch uint64        // counts changes of Cut
}

// way returns the way between two hosts. It is called with mu held.
func (n *Network) way(from, to string) *way {
	key := [2]string{from, to}
	w := n.ways[key]
	if w == nil {
		w = &way{Link: n.cfg.Link, rand: n.random(from + " to " + to)}
		if from == to {
			w.Link = Link{Latency: loopback}
		}
		n.ways[key] = w
	}
	return w
}

// travel returns when something that leaves now arrives.
func (w *way) travel(now time.Duration, size int) time.Duration {
	w.free = max(w.free, now)
	if w.Bandwidth > 0 {
		w.free += time.Duration(float64(size) / float64(w.Bandwidth) * float64(time.Second))
	}
	at := w.free + w.Latency
	if w.Jitter > 0 {
		at += time.Duration(w.rand.Int64N(int64(w.Jitter) + 1))
	}
	return at
}

func (w *way) loses() bool { return w.Loss > 0 && w.rand.Float64() < w.Loss }

// SetLink changes the way from one host to another.
func (n *Network) SetLink(from, to string, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.setLink(from, to, l)
}

// Link returns what the way from one host to another is like now.
func (n *Network) Link(from, to string) Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.way(from, to).Link
}

// Cut cuts the way from one host to another, or opens it again.
func (n *Network) Cut(from, to string, c Cut) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.way(from, to).Link
	l.Cut = c
	n.setLink(from, to, l)
}

// Split cuts, or opens again, the ways in both directions between every host of
// one side and every host of the other.
func (n *Network) Split(one, other []string, c Cut) {
	for _, a := range one {
		for _, b := range other {
			n.Cut(a, b, c)
			n.Cut(b, a, c)
		}
	}
}

// Heal opens all ways.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.names() {
		for _, b := range n.names() {
			l := n.way(a, b).Link
			l.Cut = Open
			n.setLink(a, b, l)
		}
	}
}

// Break resets every stream between two hosts, on both sides and at once. What
// was under way is lost.
func (n *Network) Break(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range slices.Clone(n.hosts[a].processes) {
		for _, e := range slices.Clone(p.ends) {
			if e.peer.proc.host.name == b {
				e.peer.fail(syscall.ECONNRESET)
				e.fail(syscall.ECONNRESET)
			}
		}
	}
}

// Forget lets something on the way between two hosts, a firewall that was
// restarted for instance, forget every stream that there is: from now on nothing
// comes through on these, and nobody is told. New ones can be made.
func (n *Network) Forget(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.hosts[a].processes {
		for _, e := range p.ends {
			if e.peer.proc.host.name == b {
				e.forgotten()
				e.peer.forgotten()
			}
		}
	}
}

// forgotten lets nothing come from this end any longer. It finds that out as with
// a way that is cut.
func (e *end) forgotten() {
	e.out.swallowed = true
	n := e.net
	n.at(n.now()+keepAliveFor, func() {
		if len(e.out.queue) == 0 {
			e.fail(syscall.ETIMEDOUT)
		}
	})
	n.at(n.now()+retransmitFor, func() { e.fail(syscall.ETIMEDOUT) })
}

func (n *Network) setLink(from, to string, l Link) {
	w := n.way(from, to)
	before := w.Cut
	w.Link = l
	if before == l.Cut {
		return
	}
	w.epoch++
	if l.Cut == Open {
		n.acknowledge(to, from)
		return
	}
	epoch := w.epoch
	// Both directions of a stream suffer from the cut of one way.
	check := func(quiet bool) func() {
		return func() {
			if w.epoch == epoch {
				n.timeOut(from, to, quiet, false)
				n.timeOut(to, from, quiet, false)
			}
		}
	}
	n.at(n.now()+keepAliveFor, check(true))
	n.at(n.now()+retransmitFor, check(false))
}

// acknowledge lets the writers of a host know what a peer had read while the way
// back was cut.
func (n *Network) acknowledge(writer, reader string) {
	h := n.hosts[writer]
	if h == nil {
		return
	}
	for _, p := range h.processes {
		for _, e := range p.ends {
			if e.peer.proc.host.name == reader {
				e.out.held = 0
				e.tell()
			}
		}
	}
}

// timeOut ends the streams of a host with a peer on another: those that have
// nothing to send, or all; where gone is set, only those whose peer is gone.
func (n *Network) timeOut(at, peer string, quiet, gone bool) {
	h := n.hosts[at]
	if h == nil {
		return
	}
	for _, p := range h.processes {
		for _, e := range slices.Clone(p.ends) {
			switch {
			case e.peer.proc.host.name != peer,
				quiet && len(e.out.queue) > 0,
				gone && e.peer.proc.alive:
			default:
				e.fail(syscall.ETIMEDOUT)
			}
		}
	}
}

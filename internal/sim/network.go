package sim

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// DefaultBuffer is how much a stream holds in each direction: about what the
// kernels of two hosts do.
const DefaultBuffer = 512 << 10

// Config says what a network is like.
type Config struct {
	// Seed is where latencies and losses come from.
	Seed uint64
	// Link is what every way is like until SetLink changes it.
	Link Link
	// Buffer is how many bytes a stream holds that were written and not yet
	// read. Default 512 KiB.
	Buffer int
}

// Network is a number of hosts and what lies between them. All its methods may
// be called from any goroutine.
type Network struct {
	cfg   Config
	start time.Time
	wake  chan struct{} // an event comes before the one that run waits for
	quit  chan struct{} // closed by Close
	ended chan struct{} // closed when run has ended

	// mu guards what follows, and all of the hosts, processes, ways and streams.
	// Nothing waits while it is held.
	mu     sync.Mutex
	closed bool
	events events
	count  uint64 // of events ever made
	hosts  map[string]*Host
	byAddr map[netip.Addr]*Host
	ways   map[[2]string]*way
	stats  Stats
}

// Stats are what a network has seen.
type Stats struct {
	Streams   uint64 // dialled and accepted
	Segments  uint64 // sent on streams
	Bytes     uint64 // of these
	Packets   uint64 // sent
	InPackets uint64 // bytes of these
	Lost      uint64 // packets that never arrived
	Resets    uint64 // streams that were reset or timed out
}

// New starts a network. Close ends it.
func New(cfg Config) *Network {
	if cfg.Buffer <= 0 {
		cfg.Buffer = DefaultBuffer
	}
	n := &Network{
		cfg: cfg, start: time.Now(),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		hosts: make(map[string]*Host), byAddr: make(map[netip.Addr]*Host), ways: make(map[[2]string]*way),
	}
	go n.run() // ended by Close
	return n
}

// Close ends the network and everything on it: whatever waits on it returns with
// an error.
func (n *Network) Close() {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		for _, h := range n.hosts {
			for len(h.processes) > 0 {
				h.processes[0].end()
			}
		}
		n.events = nil
		close(n.quit)
	}
	n.mu.Unlock()
	<-n.ended
}

// Stats returns what the network has seen so far.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Host adds a host. It panics on an address that is none or is taken: it is a
// mistake in the test.
func (n *Network) Host(name, addr string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[name] != nil {
		panic(fmt.Sprintf("sim: there is a host %q already", name))
	}
	h := &Host{net: n, name: name, power: true, port: firstPort, listeners: make(map[uint16]*Listener), sockets: make(map[uint16]*Transport)}
	n.hosts[name] = h
	h.settle(netip.MustParseAddr(addr))
	return h
}

// random makes a source of its own for whatever has that name.
func (n *Network) random(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // does not fail
	return rand.New(rand.NewPCG(n.cfg.Seed, h.Sum64()))
}

// now is the time since the network was made.
func (n *Network) now() time.Duration { return time.Since(n.start) }

// event is something that is going to happen.
type event struct {
	at  time.Duration
	num uint64 // the order of events at the same time
	do  func() // called with Network.mu held
}

// events is a heap, the next first.
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].num, e[j].num)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop implements heap.Interface.
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return x
}

// at lets something happen. It is called with mu held.
func (n *Network) at(when time.Duration, do func()) {
	if n.closed {
		return
	}
	n.count++
	heap.Push(&n.events, event{when, n.count, do})
	if n.events[0].num == n.count {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// run lets happen what is due, until the network is closed.
func (n *Network) run() {
	defer close(n.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.quit:
			return
		case <-n.wake:
		case <-timer.C:
		}
		n.mu.Lock()
		for len(n.events) > 0 && n.events[0].at <= n.now() {
			heap.Pop(&n.events).(event).do()
		}
		if len(n.events) > 0 {
			timer.Reset(n.events[0].at - n.now())
		}
		n.mu.Unlock()
	}
}

// names lists the hosts by name, so that what is done to all is done in the same
// order every time. It is called with mu held.
func (n *Network) names() []string {
	var list []string
	for name := range n.hosts {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Hosts lists the names of all hosts.
func (n *Network) Hosts() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.names()
}

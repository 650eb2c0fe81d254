package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/peercache/peercache/internal/sim"
)

// simulation is a cluster of real nodes, memberlist and wire included, on a
// network in memory and in virtual time. All happens in one bubble.
type simulation struct {
	t       *testing.T
	seed    uint64
	net     *sim.Network
	history *history
	values  atomic.Uint64
	start   time.Time
	hosts   int
	near    time.Duration
	secret  string
	change  func(*Config)   // of every node, if not nil
	links   func() sim.Link // what every way to and from a new host is like, if not nil

	mayFail     bool         // a random call may end in ErrUnavailable
	wantsFaults bool         // errors are counted, not reported
	quiet       bool         // says nothing where nothing is wrong
	faults      atomic.Int64 // how many

	closing sync.WaitGroup // of nodes that were killed

	mu    sync.RWMutex // guards nodes
	nodes []*simNode   // those that calls may be made on
}

// simNode is a node and where it lives.
type simNode struct {
	*Node
	host *sim.Host
	proc *sim.Process
	c    *Cache[[]byte] // of random calls, and clears
	keep *Cache[[]byte] // of what must not be lost
}

const simPort = ":7946"

// simulate runs f in a bubble, closes all nodes, and checks what clients have
// seen. No goroutine may be left then: synctest panics if one is, be it only
// asleep.
func simulate(t *testing.T, seed uint64, link sim.Link, f func(s *simulation)) *simulation {
	t.Helper()
	begin := time.Now()
	var s *simulation
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		s = &simulation{
			t: t, seed: seed, history: newHistory(), start: time.Now(),
			net: sim.New(sim.Config{Seed: seed, Link: link}),
		}
		defer s.net.Close()
		defer s.closeAll()
		f(s)
		took = time.Since(s.start)
	})
	s.t = t
	for _, key := range s.history.wrong(t) {
		s.errorf("%s: a stale read:\n%s", key, s.history.tail(key, 40))
	}
	simTotals.add(took, time.Since(begin), s.history.calls())
	if !s.wantsFaults && !s.quiet {
		t.Logf("seed %d: %v of virtual time in %v, %d random calls", seed,
			took.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond), s.history.calls())
	}
	return s
}

// errorf reports what should not be.
func (s *simulation) errorf(format string, args ...any) {
	s.t.Helper()
	if s.wantsFaults {
		s.faults.Add(1)
		return
	}
	s.t.Errorf(format, args...)
}

// simTotals is what all simulations of the run came to.
var simTotals totals

type totals struct {
	virtual, real, calls, runs atomic.Int64
}

func (c *totals) add(virtual, real time.Duration, calls int) {
	c.virtual.Add(int64(virtual))
	c.real.Add(int64(real))
	c.calls.Add(int64(calls))
	c.runs.Add(1)
}

func (c *totals) String() string {
	return fmt.Sprintf("%d runs, %v of virtual time in %v, %d random calls",
		c.runs.Load(), time.Duration(c.virtual.Load()).Round(time.Second), time.Duration(c.real.Load()).Round(time.Second), c.calls.Load())
}

// closeAll stops every node that is left, at once and all together.
func (s *simulation) closeAll() {
	var wg sync.WaitGroup
	for _, n := range s.all() {
		wg.Go(func() {
			if err := n.Close(); err != nil {
				s.errorf("closing %s: %v", n.Name(), err)
			}
		})
	}
	wg.Wait()
	s.closing.Wait()
}

func (s *simulation) all() []*simNode {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]*simNode(nil), s.nodes...)
}

// addrs are where the nodes gossip.
func (s *simulation) addrs() []string {
	var list []string
	for _, n := range s.all() {
		list = append(list, n.host.Addr()+simPort)
	}
	return list
}

// host adds a host; what has no secret must be on loopback addresses.
func (s *simulation) host() *sim.Host {
	s.hosts++
	h := s.net.Host(fmt.Sprint("host", s.hosts), fmt.Sprintf("127.1.%d.%d", s.hosts/250, s.hosts%250+1))
	if s.links != nil {
		for _, o := range s.net.Hosts() {
			if o != h.Name() {
				s.net.SetLink(h.Name(), o, s.links())
				s.net.SetLink(o, h.Name(), s.links())
			}
		}
	}
	return h
}

// config lets a node live in a process.
func (s *simulation) config(name string, h *sim.Host, p *sim.Process, join []string) Config {
	return Config{
		Name: name, Bind: h.Addr() + simPort, Join: join, NearTTL: s.near, Secret: s.secret, Memory: 64 << 20, Logger: testLogger(name),
		listen: p.Listen, dial: p.Dial, wall: h.Now,
		transport: func(bind string) (memberlist.Transport, error) {
			t, err := p.Transport(bind)
			if err != nil {
				return nil, err
			}
			return t, nil
		},
	}
}

// startOn starts a node on a host and returns before it is active. No calls are
// made on it yet, but it is closed in the end.
func (s *simulation) startOn(h *sim.Host, name string, join []string, change func(*Config)) *simNode {
	s.t.Helper()
	p := h.Process()
	cfg := s.config(name, h, p, join)
	for _, f := range []func(*Config){s.change, change} {
		if f != nil {
			f(&cfg)
		}
	}
	node, err := Start(context.Background(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return &simNode{Node: node, host: h, proc: p, c: openBytes(s.t, node, "c"), keep: openBytes(s.t, node, "keep")}
}

// use lets calls be made on a node.
func (s *simulation) use(n *simNode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, n)
}

// drop ends that.
func (s *simulation) drop(n *simNode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range s.nodes {
		if o == n {
			s.nodes = append(s.nodes[:i:i], s.nodes[i+1:]...)
			return
		}
	}
}

// join starts a node on a host of its own, which joins the others, and waits
// until it is active.
func (s *simulation) join(name string) *simNode { return s.joinOn(s.host(), name) }

func (s *simulation) joinOn(h *sim.Host, name string) *simNode {
	s.t.Helper()
	n := s.startOn(h, name, s.addrs(), nil)
	s.use(n)
	waitActive(s.t, n.Node)
	return n
}

// leave lets a node leave in order.
func (s *simulation) leave(n *simNode) {
	s.t.Helper()
	s.drop(n)
	if err := n.Leave(context.Background()); err != nil {
		s.errorf("%s leaves: %v", n.Name(), err)
	}
}

// cluster starts a number of nodes one after another.
func (s *simulation) cluster(count int) []*simNode {
	s.t.Helper()
	for i := range count {
		s.join(fmt.Sprint("n", i+1))
	}
	s.agreed()
	return s.all()
}

// agreed waits until all nodes have one table and all slots are served.
func (s *simulation) agreed() {
	s.t.Helper()
	var nodes []*Node
	for _, n := range s.all() {
		nodes = append(nodes, n.Node)
	}
	waitAgreed(s.t, nodes...)
}

// linked waits until every node has a connection to every other.
func (s *simulation) linked() {
	s.t.Helper()
	nodes := s.all()
	eventually(s.t, "all are connected", func() bool {
		for _, n := range nodes {
			up := 0
			for _, l := range *n.members.linked.Load() {
				if l.conn.Load() != nil {
					up++
				}
			}
			if up < len(nodes)-1 {
				return false
			}
		}
		return true
	})
}

// fill sets entries that must not be lost, from all nodes.
func (s *simulation) fill(count int) {
	s.t.Helper()
	nodes := s.all()
	var wg sync.WaitGroup
	const writers = 32
	for w := range writers {
		wg.Go(func() {
			for i := w; i < count; i += writers {
				if err := nodes[i%len(nodes)].keep.Set(context.Background(), kept(i), []byte(kept(i))); err != nil {
					s.errorf("filling: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func kept(i int) string { return fmt.Sprint("kept", i) }

// lost counts the entries of fill that a node does not find.
func (s *simulation) lost(n *simNode, count int) int {
	s.t.Helper()
	keys := make([]string, count)
	for i := range keys {
		keys[i] = kept(i)
	}
	got, err := n.keep.GetMany(context.Background(), keys)
	if err != nil {
		s.errorf("reading all: %v", err)
	}
	lost := 0
	for _, k := range keys {
		if string(got[k]) != k {
			lost++
		}
	}
	return lost
}

// noneLost checks that every node finds all entries of fill.
func (s *simulation) noneLost(count int) {
	s.t.Helper()
	for _, n := range s.all() {
		if lost := s.lost(n, count); lost > 0 {
			s.errorf("%s: %d of %d entries are lost", n.Name(), lost, count)
		}
	}
}

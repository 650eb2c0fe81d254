package cluster

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// Nine nodes that start at the same instant with the same list become one cluster,
// with the fence too.
func TestSimNineStartTogether(t *testing.T) {
	for _, fence := range []int{0, 5} {
		simulate(t, 41, sim.LAN(), func(s *simulation) {
			var hosts []*sim.Host
			var seeds []string
			for range 9 {
				hosts = append(hosts, s.host())
				seeds = append(seeds, hosts[len(hosts)-1].Addr()+simPort)
			}
			for i, h := range hosts {
				s.use(s.startOn(h, fmt.Sprint("n", i+1), seeds, func(c *Config) { c.Fence = fence }))
			}
			for _, n := range s.all() {
				waitActive(t, n.Node)
			}
			s.agreed()
			for _, n := range s.all() {
				eventually(t, "it may answer", n.mayAnswer)
			}
			took := time.Since(s.start)
			if took > 10*time.Second {
				t.Errorf("with a fence of %d it took %v", fence, took)
			}
			s.fill(100)
			s.noneLost(100)
			t.Logf("with a fence of %d: one cluster that serves, after %v", fence, took)
		})
	}
}

// A node none of whose seeds is up starts alone, serves, and joins when they come
// up; so does one whose seed is a name that leads to nothing yet.
func TestSimSeedsDown(t *testing.T) {
	for _, name := range []bool{false, true} {
		for _, later := range []time.Duration{10 * time.Second, 5 * time.Minute} {
			simulate(t, 42, sim.LAN(), func(s *simulation) {
				ctx := context.Background()
				var dns names
				down := s.host()
				seeds := []string{down.Addr() + simPort}
				if name {
					seeds = []string{"cache.test" + simPort}
				}
				first := s.startOn(s.host(), "first", seeds, func(c *Config) { c.resolver = &dns })
				s.use(first)
				waitActive(t, first.Node)
				alone := time.Since(s.start)
				if alone > 2*DefaultJoinWait+time.Second {
					t.Errorf("it served after %v", alone)
				}
				s.fill(50)
				time.Sleep(later)
				// What comes up has never heard of the first one, and starts alone too.
				second := s.startOn(down, "second", nil, nil)
				s.use(second)
				waitActive(t, second.Node)
				if err := second.keep.Set(ctx, "its own", []byte("v")); err != nil {
					t.Error(err)
				}
				dns.set(netip.MustParseAddr(down.Addr()))
				up := time.Now()
				s.agreed()
				took := time.Since(up)
				if took > 30*time.Second {
					t.Errorf("they were one cluster after %v", took)
				}
				s.noneLost(50)
				for _, n := range s.all() {
					if v, err := n.keep.Get(ctx, "its own"); err != nil || string(v) != "v" {
						t.Errorf("%s: %q, %v", n.Name(), v, err)
					}
				}
				t.Logf("a name: %v; alone after %v; one cluster %v after the seed was up", name, alone, took)
			})
		}
	}
}

// names is a resolver that knows one name, once it is told.
type names struct {
	mu   sync.Mutex // guards addr
	addr []netip.Addr
}

func (n *names) set(a netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = []netip.Addr{a}
}

func (n *names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.addr == nil {
		return nil, fmt.Errorf("no such host")
	}
	return n.addr, nil
}

// How little time calls have is no matter to members that come to know each other.
func TestSimShortRequestTimeout(t *testing.T) {
	simulate(t, 1, sim.Link{Latency: 5 * time.Millisecond}, func(s *simulation) {
		s.change = func(c *Config) { c.RequestTimeout = time.Millisecond }
		s.cluster(3)
		s.agreed()
	})
}

var simNodes = flag.Int("sim.nodes", 40, "how many nodes TestSimManyNodes starts")

// Many nodes join one after another, each in little time, and in the end all agree.
func TestSimManyNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes with the race detector; make test runs it without")
	}
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		s.change = backups(1)
		var longest time.Duration
		for i := range *simNodes {
			begin := time.Now()
			s.join(fmt.Sprint("n", i))
			longest = max(longest, time.Since(begin))
		}
		s.agreed()
		s.fill(1000)
		s.noneLost(1000)
		t.Logf("%d nodes; a join took %v at most", *simNodes, longest)
		if longest > 500*time.Millisecond {
			s.errorf("a join took %v", longest)
		}
	})
}

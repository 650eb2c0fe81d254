package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// kill ends a node's process at once. Its goroutines go on without a network;
// closing it then is for them only.
func (s *simulation) kill(n *simNode) {
	s.drop(n)
	n.proc.Kill()
	s.cleanup(n)
}

// cleanup closes a node that is no more, without waiting for that.
func (s *simulation) cleanup(n *simNode) {
	s.closing.Go(func() { _ = n.Close() }) // waited for by closeAll
}

// ownedBy returns keys of a cache that a node owns.
func (s *simulation) ownedBy(n *simNode, cache string, count int) []string {
	var keys []string
	for i := 0; len(keys) < count; i++ {
		if key := fmt.Sprint("key", i); n.Where(cache, key).Owner == n.Name() {
			keys = append(keys, key)
		}
	}
	return keys
}

// A killed process is out of every table within 200 ms, its keys are served again
// within 500, and calls for other owners' keys do not notice.
func TestSimCrash(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), func(s *simulation) {
			nodes := s.cluster(5)
			s.settled()
			victim := nodes[seed%5]
			theirs := s.ownedBy(victim, "c", 20)
			var others []string
			for _, n := range nodes {
				if n != victim {
					others = append(others, s.ownedBy(n, "c", 5)...)
				}
			}
			ctx, stop := context.WithCancel(context.Background())
			var clients sync.WaitGroup
			var mu sync.Mutex // guards longest
			longest := time.Duration(0)
			for _, n := range nodes {
				if n == victim {
					continue
				}
				clients.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						begin := time.Now()
						key := others[i%len(others)]
						if i%3 == 0 {
							if err := n.c.Set(context.Background(), key, []byte("v")); err != nil {
								t.Errorf("a Set elsewhere: %v", err)
							}
						} else if _, err := n.c.Get(context.Background(), key); err != nil && !errors.Is(err, ErrNotFound) {
							t.Errorf("a Get elsewhere: %v", err)
						}
						mu.Lock()
						longest = max(longest, time.Since(begin))
						mu.Unlock()
						time.Sleep(time.Millisecond)
					}
				})
			}
			time.Sleep(100 * time.Millisecond)
			begin := time.Now()
			s.kill(victim)
			survivors := s.all()
			for _, n := range survivors {
				eventually(t, "it is dropped", func() bool { return n.members.link(victim.id) == nil })
			}
			dropped := time.Since(begin)
			for i, key := range theirs {
				if err := survivors[i%4].c.Set(context.Background(), key, []byte("v")); err != nil {
					t.Errorf("its key: %v", err)
				}
			}
			served := time.Since(begin)
			if dropped > 200*time.Millisecond || served > 500*time.Millisecond {
				t.Errorf("dropped after %v, its keys served after %v", dropped, served)
			}
			stop()
			clients.Wait()
			if longest > 250*time.Millisecond {
				t.Errorf("the longest call for another's key took %v", longest)
			}
			s.agreed()
			// Gossip takes it for a member for some time more.
			time.Sleep(20 * time.Second)
			s.agreed()
			t.Logf("dropped after %v, its keys served after %v; the longest call elsewhere took %v", dropped, served, longest)
		})
	})
}

// A host that says nothing any more is out within 5 s, and so is a process that is
// stopped, whose host accepts connections for it.
func TestSimSilentHost(t *testing.T) {
	for name, silence := range map[string]func(*simulation, *simNode){
		"host gone": func(s *simulation, victim *simNode) {
			s.drop(victim)
			victim.host.Crash()
			s.cleanup(victim)
		},
		"process stopped": func(_ *simulation, victim *simNode) { victim.proc.Freeze() },
	} {
		t.Run(name, func(t *testing.T) {
			longest := time.Duration(0)
			for seed := range uint64(4) {
				simulate(t, 70+seed, sim.LAN(), func(s *simulation) {
					nodes := s.cluster(5)
					s.settled()
					victim := nodes[2]
					others := slices.DeleteFunc(s.all(), func(n *simNode) bool { return n == victim })
					theirs := s.ownedBy(victim, "c", 20)
					begin := time.Now()
					silence(s, victim)
					for i, key := range theirs {
						for others[i%4].c.Set(context.Background(), key, []byte("v")) != nil {
							if time.Since(begin) > 10*time.Second {
								t.Fatalf("%s is not served", key)
							}
						}
					}
					served := time.Since(begin)
					if served > 5*time.Second {
						t.Errorf("its keys were served after %v", served)
					}
					longest = max(longest, served)
					victim.proc.Thaw()
					s.agreed()
				})
			}
			t.Logf("its keys were served after %v at most", longest)
		})
	}
}

// A member whose port refuses one other member only (a firewall between the two)
// is not dropped, by nobody.
func TestSimRefusedByOne(t *testing.T) {
	simulate(t, 8, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(4)
		s.settled()
		a, b := nodes[0].host.Name(), nodes[1].host.Name()
		s.net.Cut(a, b, sim.Refuse)
		s.net.Break(a, b)
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			for _, n := range nodes {
				if len(n.members.view.Load().table.Members) != 4 {
					t.Fatalf("after a refusal %s has %+v", n.Name(), n.Members())
				}
			}
		}
		s.net.Heal()
		s.agreed()
	})
}

// A member that refused everybody for a while, and lives, is let in again when it
// answers, and takes its slots as a stranger does.
func TestSimRefusedForAWhile(t *testing.T) {
	for _, lasts := range []time.Duration{300 * time.Millisecond, time.Second, 20 * time.Second} {
		simulate(t, 9, sim.LAN(), func(s *simulation) {
			nodes := s.cluster(4)
			s.settled()
			victim := nodes[3]
			for _, n := range nodes[:3] {
				s.net.Cut(n.host.Name(), victim.host.Name(), sim.Refuse)
				s.net.Break(n.host.Name(), victim.host.Name())
			}
			time.Sleep(250 * time.Millisecond)
			for _, n := range nodes[:3] {
				if n.members.link(victim.id) != nil {
					t.Errorf("%s has not dropped it", n.Name())
				}
			}
			ctx := context.Background()
			for i := range 50 {
				if err := nodes[i%3].c.Set(ctx, fmt.Sprint("k", i), []byte("new")); err != nil {
					t.Errorf("%v: %v", lasts, err)
				}
			}
			time.Sleep(lasts - 250*time.Millisecond)
			s.net.Heal()
			healed := time.Now()
			s.agreed()
			took := time.Since(healed)
			if took > 30*time.Second {
				t.Errorf("all agreed after %v", took)
			}
			t.Logf("refused for %v: all agreed %v later", lasts, took)
			for i := range 50 {
				for _, n := range nodes {
					if v, err := n.c.Get(ctx, fmt.Sprint("k", i)); err != nil || string(v) != "new" {
						t.Errorf("%s: k%d is %q, %v", n.Name(), i, v, err)
					}
				}
			}
		})
	}
}

// A node that crashes and is restarted under its name with another address, at
// once or a minute later, is let in, takes its slots back, and nobody talks to
// what was before.
func TestSimRestartElsewhere(t *testing.T) {
	for _, later := range []time.Duration{0, time.Minute} {
		simulate(t, 10, sim.LAN(), func(s *simulation) {
			nodes := s.cluster(3)
			s.settled()
			old := nodes[1]
			slots := nodes[0].Ring()[old.Name()]
			s.kill(old)
			time.Sleep(later)
			h := s.host()
			begin := time.Now()
			n := s.joinOn(h, old.Name())
			s.agreed()
			took := time.Since(begin)
			if got := nodes[0].Ring()[n.Name()]; got != slots || n.Stats().SlotsActive != slots {
				t.Errorf("it had %d slots and has %d", slots, got)
			}
			for _, o := range s.all() {
				if o.members.link(old.id) != nil {
					t.Errorf("%s has a link to the old run", o.Name())
				}
				if o != n && (o.members.link(n.id) == nil || o.members.link(n.id).addr != n.PeerAddr()) {
					t.Errorf("%s has no link to the new address", o.Name())
				}
			}
			if took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			t.Logf("restarted %v later: in its place after %v", later, took)
		})
	}
}

// The same address too: a run that answers under it is another.
func TestSimRestartInPlace(t *testing.T) {
	simulate(t, 11, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(3)
		s.settled()
		old := nodes[1]
		s.kill(old)
		begin := time.Now()
		n := s.joinOn(old.host, old.Name())
		s.agreed()
		t.Logf("in its place after %v", time.Since(begin))
		if !slices.ContainsFunc(nodes[0].Members(), func(m Member) bool { return m.Peer == n.PeerAddr() && m.State == "alive" }) {
			t.Errorf("%+v", nodes[0].Members())
		}
	})
}

// A node that is closed takes no calls that it cannot answer.
func TestSimClose(t *testing.T) {
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(3)
		n := nodes[2]
		key := ""
		for i := 0; n.Where("c", key).Owner != n.Name(); i++ {
			key = fmt.Sprint(i)
		}
		s.drop(n)
		begin := time.Now()
		var closing sync.WaitGroup
		closing.Go(func() {
			if err := n.Close(); err != nil {
				s.errorf("%v", err)
			}
		})
		time.Sleep(10 * time.Millisecond)
		err := nodes[0].c.Set(context.Background(), key, []byte("v"))
		if took := time.Since(begin); took > 250*time.Millisecond {
			s.errorf("a Set of its key took %v: %v", took, err)
		}
		closing.Wait()
		s.agreed()
	})
}

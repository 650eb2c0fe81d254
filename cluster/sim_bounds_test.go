package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/sim"
)

// gigabit is a LAN with a bandwidth.
func gigabit() sim.Link {
	l := sim.LAN()
	l.Bandwidth = 125 << 20
	return l
}

// pauses makes calls while f changes the members, none of which may fail or take
// longer than 250 ms, of what networks and timers take.
func pauses(s *simulation, entries int, f func()) {
	const longest = 250 * time.Millisecond
	t := s.t
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	var mu sync.Mutex // guards took
	var took []time.Duration
	timed := func(what string, f func() error) {
		begin := time.Now()
		err := f()
		d := time.Since(begin)
		if errors.Is(err, ErrClosed) { // a node that leaves takes no more calls
			return
		}
		if err != nil {
			t.Errorf("%s after %v: %v", what, d, err)
		}
		if d > longest {
			t.Errorf("after %v: %s took %v, over %v", time.Since(s.start), what, d, longest)
		}
		mu.Lock()
		took = append(took, d)
		mu.Unlock()
	}
	for w := range 8 {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(s.seed, uint64(w)))
			for ctx.Err() == nil {
				n := s.pick(r)
				key := kept(r.IntN(entries))
				timed("Get", func() error {
					v, err := n.keep.Get(context.Background(), key)
					if err == nil && string(v) != key {
						err = fmt.Errorf("%q", v)
					}
					return err
				})
				mine := fmt.Sprint("own", w, "/", r.IntN(500))
				timed("Set", func() error { return n.keep.Set(context.Background(), mine, []byte(mine)) })
				timed("Delete", func() error { return n.keep.Delete(context.Background(), mine) })
				time.Sleep(time.Duration(r.IntN(5000)) * time.Microsecond)
			}
		})
	}
	f()
	stop()
	clients.Wait()
	s.noneLost(entries)
	slices.Sort(took)
	t.Logf("%d calls: median %v, 99th percentile %v, longest %v", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}

// The cluster grows from 3 to 5 and shrinks to 2.
func TestSimPauses(t *testing.T) {
	entries := count(20000)
	simulate(t, 1, gigabit(), func(s *simulation) {
		s.cluster(3)
		s.fill(entries)
		pauses(s, entries, func() {
			s.join("n4")
			s.join("n5")
			s.agreed()
			for _, n := range s.all()[2:] {
				s.leave(n)
			}
			s.agreed()
		})
	})
}

// All nodes are restarted in order, one after another.
func TestSimRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("long simulations run without -short")
	}
	entries := count(20000)
	for _, b := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(b, " backups"), func(t *testing.T) {
			simulate(t, 5, gigabit(), func(s *simulation) {
				s.change = backups(b)
				s.cluster(5)
				s.fill(entries)
				pauses(s, entries, func() {
					for _, n := range s.all() {
						s.leave(n)
						s.joinOn(n.host, n.Name())
						s.agreed()
					}
				})
			})
		})
	}
}

// Joining and leaving nodes copy ahead of the switch, all of it: what is left for
// the switch itself is what calls wait for.
func TestSimCopiesAhead(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, gigabit(), func(s *simulation) {
			const entries = 1000
			s.cluster(3)
			s.fill(entries)
			n := s.join("n4")
			s.agreed()
			owned := 0
			for i := range entries {
				if n.Where("keep", kept(i)).Serving {
					owned++
				}
			}
			if copied := n.Stats().Copied; copied < uint64(owned) {
				t.Errorf("the joiner owns %d entries now, of which it had copied %d ahead", owned, copied)
			}
			before := n.Stats().Copied
			s.leave(n)
			if copied := n.Stats().Copied - before; copied < uint64(owned) {
				t.Errorf("the leaver owned %d entries, of which it copied %d ahead", owned, copied)
			}
		})
	})
}

// owned returns a key of a cache that a node owns.
func (s *simulation) owned(n *simNode, cache string) string {
	for i := 0; ; i++ {
		if key := fmt.Sprint("key", i); n.Where(cache, key).Serving {
			return key
		}
	}
}

// serves tells whether a node would answer a Get by itself.
func (n *simNode) serves(key string) bool {
	ok := n.local(n.c.space, hashKey("c", key), key, new(cache.Hit))
	return ok
}

// settled waits until no owner fears its predecessor's leases any longer.
func (s *simulation) settled() {
	s.agreed()
	time.Sleep(2*max(s.near, 0) + time.Second)
}

// isolate cuts a node's host off from all others, without a word.
func (s *simulation) isolate(n *simNode) {
	for _, o := range s.all() {
		if o != n {
			s.net.Split([]string{n.host.Name()}, []string{o.host.Name()}, sim.BlackHole)
		}
	}
}

// A call to an owner that says nothing ends at the request's timeout, or at the
// context's deadline if that is sooner.
func TestSimSilentOwner(t *testing.T) {
	simulate(t, 2, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(3)
		s.settled()
		key := s.owned(nodes[1], "c")
		many := make([]string, 300)
		for i := range many {
			many[i] = fmt.Sprint("many", i)
		}
		c := nodes[0].c
		loads, err := NewCache(nodes[0].Node, "loads", Options[[]byte]{Load: func(ctx context.Context, _ string) ([]byte, error) {
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
			}
			return nil, errors.New("too late")
		}})
		if err != nil {
			t.Fatal(err)
		}
		loaded := s.owned(nodes[1], "loads")
		for name, call := range map[string]func(context.Context) error{
			"Get":      func(ctx context.Context) error { _, err := c.Get(ctx, key); return err },
			"Set":      func(ctx context.Context) error { return c.Set(ctx, key, []byte("v")) },
			"Delete":   func(ctx context.Context) error { return c.Delete(ctx, key) },
			"GetMany":  func(ctx context.Context) error { _, err := c.GetMany(ctx, many); return err },
			"GetLoads": func(ctx context.Context) error { _, err := loads.Get(ctx, loaded); return err },
			"Deletes":  func(ctx context.Context) error { return c.Delete(ctx, many...) },
			"Clear":    c.Clear,
		} {
			for _, own := range []time.Duration{0, 30 * time.Millisecond} {
				ctx, cancel, limit := context.Background(), func() {}, DefaultRequestTimeout
				if own > 0 {
					ctx, cancel = context.WithTimeout(ctx, own)
					limit = own
				}
				s.isolate(nodes[1])
				begin := time.Now()
				err := call(ctx)
				took := time.Since(begin)
				cancel()
				var partial *PartialError
				if err == nil {
					t.Errorf("%s: no error from an owner that says nothing", name)
				} else if !errors.Is(err, ErrUnavailable) && !errors.As(err, &partial) && name != "GetLoads" {
					t.Errorf("%s: %v", name, err)
				}
				if took > limit {
					t.Errorf("%s with %v took %v: %.120s", name, limit, took, fmt.Sprint(err))
				}
				s.net.Heal()
				time.Sleep(3 * time.Second)
				s.agreed()
			}
		}
	})
}

// A Delete with a silent holder ends as a PartialError at its deadline, and is
// done when the holder's lease is over.
func TestSimDeleteWithSilentHolder(t *testing.T) {
	simulate(t, 3, sim.LAN(), func(s *simulation) {
		s.near = 1500 * time.Millisecond
		s.change = func(c *Config) { c.Backups = -1 } // else the holder may be the backup too
		nodes := s.cluster(3)
		s.settled()
		owner, holder, other := nodes[0], nodes[1], nodes[2]
		key := s.owned(owner, "c")
		ctx := context.Background()
		if err := owner.c.Set(ctx, key, []byte("v")); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if _, err := holder.c.Get(ctx, key); err != nil {
			t.Fatal(err)
		}
		s.isolate(holder)
		begin := time.Now()
		err := other.c.Delete(ctx, key)
		took := time.Since(begin)
		var partial *PartialError
		if !errors.As(err, &partial) || len(partial.Members) != 1 || partial.Members[0] != holder.Name() {
			t.Errorf("the delete ended with %v, not with a PartialError of %s", err, holder.Name())
		}
		if took > DefaultRequestTimeout || took < DefaultRequestTimeout*9/10 {
			t.Errorf("it ended after %v, the timeout is %v", took, DefaultRequestTimeout)
		}
		for {
			_, err := other.c.Get(ctx, key)
			_, here := owner.c.Get(ctx, key)
			if err != nil && here == nil {
				t.Errorf("it was gone, and is back at its owner: %v", err)
			}
			if err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		done := time.Since(asked)
		if done < s.near || done > s.near+50*time.Millisecond {
			t.Errorf("it was done %v after the holder had asked, with leases of %v", done, s.near)
		}
		if holder.serves(key) {
			t.Error("the holder still serves its copy")
		}
		t.Logf("a PartialError after %v; done %v after the holder asked", took, done)
	})
}

// A Set waits for a silent holder as long as its lease lasts, and no longer.
func TestSimSetWithSilentHolder(t *testing.T) {
	simulate(t, 4, sim.LAN(), func(s *simulation) {
		s.near = 600 * time.Millisecond
		s.change = func(c *Config) { c.Backups = -1 } // else the holder may be the backup too
		nodes := s.cluster(3)
		s.settled()
		owner, holder := nodes[0], nodes[1]
		key := s.owned(owner, "c")
		ctx := context.Background()
		if err := owner.c.Set(ctx, key, []byte("old")); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if _, err := holder.c.Get(ctx, key); err != nil {
			t.Fatal(err)
		}
		s.isolate(holder)
		time.Sleep(200 * time.Millisecond)
		for _, n := range []*simNode{nodes[2], owner} {
			if err := n.c.Set(ctx, key, []byte("new")); err != nil {
				t.Errorf("%s: %v", n.Name(), err)
			}
			if done := time.Since(asked); done < s.near || done > s.near+50*time.Millisecond {
				t.Errorf("%s: it was done %v after the holder had asked, with leases of %v", n.Name(), done, s.near)
			}
		}
		if holder.serves(key) {
			t.Error("the holder still serves its copy")
		}
	})
}

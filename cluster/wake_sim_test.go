package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// A process that was stopped and goes on answers nothing from its memory that has
// been changed meanwhile: neither what it owned, nor its near copies, not to its own
// callers nor to others. Without the fence.
func TestSimWake(t *testing.T) {
	for _, lasts := range []time.Duration{1500 * time.Millisecond, 4 * time.Second, 10 * time.Second, time.Minute} {
		simulate(t, 31, sim.LAN(), func(s *simulation) {
			ctx := context.Background()
			s.near = 20 * time.Second
			var x stall
			nodes := s.cluster(3)
			late := s.startOn(s.host(), "late", s.addrs(), func(c *Config) { c.stall = x.wait })
			s.use(late)
			waitActive(t, late.Node)
			s.agreed()
			time.Sleep(s.near)
			var keys []string
			owned := 0
			for i := range 100 {
				key := fmt.Sprint("k", i)
				keys = append(keys, key)
				if err := nodes[i%3].c.Set(ctx, key, []byte("old")); err != nil {
					t.Fatal(err)
				}
				if _, err := late.c.Get(ctx, key); err != nil {
					t.Fatal(err)
				}
				if !late.serves(key) {
					t.Errorf("%s is not in its memory", key)
				}
				if late.Where("c", key).Serving {
					owned++
				}
			}
			x.stop()
			late.proc.Freeze()
			time.Sleep(lasts)
			if late.serves(keys[0]) {
				t.Error("it serves without knowing the time")
			}
			changed := make(map[string]bool)
			for i, key := range keys {
				short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
				changed[key] = nodes[i%3].c.Set(short, key, []byte("new")) == nil
				cancel()
			}
			late.proc.Thaw()
			for _, key := range keys {
				if late.serves(key) {
					t.Errorf("%s: it serves as if nothing had been", key)
				}
			}
			woken := time.Now()
			x.resume()
			news := 0
			for _, key := range keys {
				v, err := late.c.Get(ctx, key)
				switch {
				case changed[key] && err == nil && string(v) == "new":
					news++
				case changed[key] && err == nil:
					t.Errorf("%s is %q %v after it went on", key, v, time.Since(woken))
				case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnavailable):
					t.Error(err)
				}
			}
			s.agreed()
			t.Logf("stopped for %v, with %d keys of its own: %d were changed meanwhile; agreed %v after it went on", lasts, owned, news, time.Since(woken))
			eventually(t, "it serves again", func() bool { return late.mayAnswer() })
			for _, n := range s.all() {
				for _, key := range keys {
					if v, err := n.c.Get(ctx, key); changed[key] && (err != nil || string(v) != "new") {
						t.Errorf("%s: %s is %q, %v", n.Name(), key, v, err)
					}
				}
			}
		})
	}
}

// Nor does it say that there is nothing, for something may have been written
// meanwhile: members that have met it again may ask before it knows that they have
// served its slots, with a cache of which it has heard and with another. With the fence
// on it is below it by then; who asks is not, and does not take that for a miss.
func TestSimAsleepKnowsNothing(t *testing.T) {
	for _, fence := range []int{0, 2} {
		simulate(t, 33, sim.LAN(), func(s *simulation) {
			ctx := context.Background()
			var x stall
			start := func(name string, near time.Duration, change func(*Config)) *simNode {
				n := s.startOn(s.host(), name, s.addrs(), func(c *Config) {
					c.Fence, c.NearTTL = fence, near
					change(c)
				})
				s.use(n)
				return n
			}
			askers := []*simNode{start("asker", -1, func(*Config) {}), start("copier", 5*time.Second, func(*Config) {})}
			late := start("late", 5*time.Second, func(c *Config) { c.stall = x.wait })
			for _, n := range s.all() {
				waitActive(t, n.Node)
			}
			s.agreed()
			time.Sleep(11 * time.Second)
			keys := map[string][]string{"c": s.ownedBy(late, "c", 3), "unheard of": s.ownedBy(late, "unheard of", 3)}
			x.stop()
			time.Sleep(3 * time.Second)
			ask := func(want error) {
				for _, n := range askers {
					for name, keys := range keys {
						c := openBytes(t, n.Node, name)
						short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
						if v, err := c.Get(short, keys[0]); !errors.Is(err, want) {
							t.Errorf("fence %d, %s, %s: Get: %q, %v, want %v", fence, n.Name(), name, v, err, want)
						}
						cancel()
						short, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
						got, err := c.GetMany(short, keys)
						if err == nil {
							err = ErrNotFound
						}
						if len(got) > 0 || !errors.Is(err, want) {
							t.Errorf("fence %d, %s, %s: GetMany: %q, %v, want %v", fence, n.Name(), name, got, err, want)
						}
						cancel()
					}
				}
			}
			ask(ErrUnavailable)
			x.resume()
			eventually(t, "it is awake", late.mayAnswer)
			ask(ErrNotFound)
		})
	}
}

// A run of a loader that has begun before the stop is not shared by who asks after it:
// what that has read may have been overwritten since.
func TestSimAsleepSharesNoLoad(t *testing.T) {
	simulate(t, 34, sim.LAN(), func(s *simulation) {
		ctx := context.Background()
		s.near = -1
		var x stall
		asker := s.cluster(2)[0]
		late := s.startOn(s.host(), "late", s.addrs(), func(c *Config) { c.stall = x.wait })
		s.use(late)
		waitActive(t, late.Node)
		s.settled()
		keys := s.ownedBy(late, "loaded", 2)
		loading := func(n *simNode, load func(context.Context, string) ([]byte, error)) *Cache[[]byte] {
			c, err := NewCache(n.Node, "loaded", Options[[]byte]{Load: load})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		read := make(chan struct{})
		there := loading(late, func(context.Context, string) ([]byte, error) {
			<-read
			return []byte("old"), nil
		})
		here := loading(asker, func(context.Context, string) ([]byte, error) { return []byte("new"), nil })
		var calls sync.WaitGroup
		for _, key := range keys {
			calls.Go(func() { // ends with the run
				if v, err := there.Get(ctx, key); string(v) != "old" && !errors.Is(err, ErrUnavailable) {
					t.Errorf("who asked before: %q, %v", v, err)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		x.stop()
		time.Sleep(3 * time.Second)
		calls.Go(func() {
			if v, err := here.Get(ctx, keys[0]); string(v) != "new" {
				t.Errorf("Get: %q, %v", v, err)
			}
		})
		calls.Go(func() {
			got, err := here.GetMany(ctx, keys)
			for _, key := range keys {
				if string(got[key]) != "new" {
					t.Errorf("GetMany: %q, %v", got[key], err)
				}
			}
		})
		time.Sleep(100 * time.Millisecond)
		close(read)
		calls.Wait()
		x.resume()
		eventually(t, "it is awake", late.mayAnswer)
	})
}

// Who is late only, and was in everybody's table all the while, asks and goes on.
func TestSimLateWatch(t *testing.T) {
	simulate(t, 32, sim.LAN(), func(s *simulation) {
		var x stall
		s.cluster(2)
		late := s.startOn(s.host(), "late", s.addrs(), func(c *Config) { c.stall = x.wait })
		s.use(late)
		waitActive(t, late.Node)
		s.settled()
		key := s.ownedBy(late, "c", 1)[0]
		if err := late.c.Set(context.Background(), key, []byte("v")); err != nil {
			t.Fatal(err)
		}
		before := late.members.view.Load()
		x.stop()
		time.Sleep(3 * time.Second)
		x.resume()
		begin := time.Now()
		if v, err := late.c.Get(context.Background(), key); err != nil || string(v) != "v" {
			t.Errorf("%q, %v", v, err)
		}
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("asking took %v", took)
		}
		if late.members.view.Load() != before {
			t.Error("the table is another")
		}
	})
}

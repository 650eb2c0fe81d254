package cluster

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// Leave returns when its context ends, whatever the others do, and says so. The
// node is closed then, or soon after.
func TestSimLeaveInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute with the race detector; make test runs it without")
	}
	for name, befall := range map[string]func(s *simulation, others []*simNode){
		"all others are stopped": func(_ *simulation, others []*simNode) {
			for _, n := range others {
				n.proc.Freeze()
			}
		},
		"cut off": func(s *simulation, others []*simNode) {
			for _, n := range others {
				s.net.Split([]string{"host1"}, []string{n.host.Name()}, sim.BlackHole)
			}
		},
		"nothing comes back": func(s *simulation, others []*simNode) {
			for _, n := range others {
				s.net.Cut(n.host.Name(), "host1", sim.BlackHole)
			}
		},
		"one host has lost its power": func(_ *simulation, others []*simNode) { others[0].host.Crash() },
		"a slow way": func(s *simulation, others []*simNode) {
			for _, n := range others {
				l := sim.Link{Latency: 400 * time.Millisecond, Bandwidth: 20 << 10}
				s.net.SetLink("host1", n.host.Name(), l)
				s.net.SetLink(n.host.Name(), "host1", l)
			}
		},
	} {
		for _, after := range []time.Duration{0, 3 * time.Second} {
			for _, within := range []time.Duration{500 * time.Millisecond, 2 * time.Second, 10 * time.Second} {
				t.Run(name, func(t *testing.T) {
					simulate(t, 1, sim.LAN(), func(s *simulation) {
						s.change = backups(1)
						nodes := s.cluster(4)
						s.fill(500)
						befall(s, nodes[1:])
						time.Sleep(after)
						ctx, cancel := context.WithTimeout(context.Background(), within)
						defer cancel()
						begin := time.Now()
						err := nodes[0].Leave(ctx)
						took := time.Since(begin)
						if took > within+time.Millisecond {
							s.errorf("after %v: took %v, not %v: %v", after, took, within, err)
						}
						t.Logf("after %v: took %v of %v: %v", after, took, within, err)
						if err := nodes[0].Close(); err != nil {
							s.errorf("closing: %v", err)
						}
						if took := time.Since(begin); took > within+10*time.Second {
							s.errorf("closed only after %v", took)
						}
						thaw(nodes[1:])
					})
				})
			}
		}
	}
}

// While calls go on slots change hands at a walk, but in the time that a member has
// which leaves.
func TestSimLeaveWithCallsInTime(t *testing.T) {
	if slotCount < 1<<15 {
		t.Skip("so few slots take no time")
	}
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(2)
		s.fill(2000)
		calling, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; calling.Err() == nil; i++ {
				if _, err := nodes[1].keep.Get(context.Background(), kept(i%2000)); err != nil {
					s.errorf("%v", err)
				}
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(time.Second)
		// At a walk the slots of one in two would take twice as long.
		within := slotCount / 2 / paceLeast * tickEvery / 2
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		begin := time.Now()
		if err := nodes[0].Leave(ctx); err != nil {
			s.errorf("after %v of %v: %v", time.Since(begin), within, err)
		}
		t.Logf("took %v of %v", time.Since(begin), within)
		stop()
		wg.Wait()
		s.drop(nodes[0])
		if err := nodes[0].Close(); err != nil {
			s.errorf("closing: %v", err)
		}
		time.Sleep(5 * time.Second) // until its gossip has ended, too
		s.noneLost(2000)
	})
}

// thaw lets stopped nodes go on, and their gossip end what it had begun.
func thaw(nodes []*simNode) {
	for _, n := range nodes {
		n.proc.Thaw()
	}
	time.Sleep(5 * time.Second)
}

// Everybody who calls Leave has the time that he brought.
func TestSimLeaveTwice(t *testing.T) {
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(3)
		s.fill(100)
		for _, n := range nodes[1:] {
			n.proc.Freeze()
		}
		var wg sync.WaitGroup
		for _, within := range []time.Duration{8 * time.Second, time.Second, 3 * time.Second} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), within)
				defer cancel()
				begin := time.Now()
				err := nodes[0].Leave(ctx)
				if took := time.Since(begin); took > within+time.Millisecond {
					s.errorf("took %v, not %v", took, within)
				}
				if within < 8*time.Second && !errors.Is(err, context.DeadlineExceeded) {
					s.errorf("within %v: %v", within, err)
				}
			})
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		thaw(nodes[1:])
	})
}

// A Load that does not heed its context keeps a node from being closed, but
// nobody from getting on.
func TestSimLeaveBesideALoad(t *testing.T) {
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		n := s.cluster(1)[0]
		loading, end := make(chan struct{}), make(chan struct{})
		c, err := NewCache(n.Node, "loaded", Options[string]{Load: func(context.Context, string) (string, error) {
			close(loading)
			<-end
			return "", nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Get(context.Background(), "key") })
		<-loading
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		if err := n.Leave(ctx); err != nil { // there was nothing to hand over
			s.errorf("%v", err)
		}
		if took := time.Since(begin); took != 5*time.Second {
			s.errorf("took %v", took)
		}
		if !errors.Is(n.Ready(), ErrClosed) {
			s.errorf("after Leave: %v", n.Ready())
		}
		close(end)
		wg.Wait()
	})
}

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// backups lets a node have so many; 0 is none here.
func backups(b int) func(*Config) {
	return func(c *Config) {
		if c.Backups = b; b == 0 {
			c.Backups = -1
		}
	}
}

// backedUp waits until Stats of all nodes say that every slot has all its
// backups.
func (s *simulation) backedUp(backups int) {
	s.t.Helper()
	nodes := s.all()
	eventually(s.t, "every slot is backed up", func() bool {
		sum := 0
		for _, n := range nodes {
			st := n.Stats()
			sum += st.SlotsBackedUp
			if st.Backups != min(backups, len(nodes)-1) {
				return false
			}
		}
		return sum == slotCount
	})
}

// crash kills nodes at once: their processes, whose hosts say so, or the hosts,
// which say nothing any more.
func (s *simulation) crash(silent bool, nodes ...*simNode) {
	s.t.Helper()
	for _, n := range nodes {
		s.drop(n)
		if silent {
			n.host.Crash()
		} else {
			n.proc.Kill()
		}
	}
	for _, n := range nodes { // what is left of them here
		if err := n.Close(); err != nil {
			s.t.Logf("closing %s, which has crashed: %v", n.Name(), err)
		}
	}
}

// P2: with B backups any B nodes are killed in the moment when the last Set has
// returned, and others again once Stats shows every slot backed up, and nothing
// is lost. P1 holds all the while.
func TestSimCrashesLoseNothing(t *testing.T) {
	eachSeed(t, 6, func(t *testing.T, seed uint64) {
		var story []string
		defer func() {
			if t.Failed() {
				t.Log(strings.Join(story, "\n"))
			}
		}()
		simulate(t, seed, sim.LAN(), func(s *simulation) { story = crashes(s) })
	})
}

func crashes(s *simulation) (story []string) {
	r := rand.New(rand.NewPCG(s.seed, 7))
	b := 1 + int(s.seed%2)
	count := max(3, b+1) + r.IntN(5)
	entries := 100 + r.IntN(400)
	s.near = []time.Duration{-1, 100 * time.Millisecond, DefaultNearTTL}[r.IntN(3)]
	s.change = backups(b)
	s.mayFail = true
	say := func(format string, args ...any) {
		story = append(story, fmt.Sprintf("%10v ", time.Since(s.start).Round(time.Microsecond))+fmt.Sprintf(format, args...))
	}
	say("%d nodes, %d backups, near copies for %v", count, b, s.near)
	s.cluster(count)
	s.fill(entries)
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for i := range r.IntN(4) {
		clients.Go(func() { s.client(ctx, i) })
	}
	for round := 0; len(s.all()) > b; round++ {
		if round > 0 {
			s.backedUp(b)
			say("every slot is backed up")
		}
		time.Sleep(200 * time.Millisecond) // for calls
		s.refill(entries, round)
		nodes := s.all()
		r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		silent := r.IntN(2) == 0
		say("crash of %s and so on, %d, silent: %v", nodes[0].Name(), b, silent)
		s.crash(silent, nodes[:b]...)
		s.agreed()
		say("%d are left and agree", len(s.all()))
		s.noneLost(entries)
		if s.t.Failed() {
			break
		}
	}
	stop()
	clients.Wait()
	return story
}

// refill writes all entries of fill anew, so that the newest Sets have only just
// returned.
func (s *simulation) refill(entries, round int) {
	if round > 0 {
		s.fill(entries)
	}
}

// P1 and P2 without order in a crash: what is killed comes back at once, under
// its name, again and again, while calls go on.
func TestSimCrashesAndRestarts(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), func(s *simulation) {
			r := rand.New(rand.NewPCG(s.seed, 8))
			b := 1 + int(s.seed%2)
			s.near = []time.Duration{-1, 100 * time.Millisecond}[r.IntN(2)]
			s.change = backups(b)
			s.mayFail = true
			s.cluster(b + 2 + r.IntN(3))
			const entries = 300
			s.fill(entries)
			ctx, stop := context.WithCancel(context.Background())
			var clients sync.WaitGroup
			for i := range 3 {
				clients.Go(func() { s.client(ctx, i) })
			}
			for range 3 {
				s.backedUp(b)
				for range 1 + r.IntN(b) {
					n := s.pick(r)
					s.crash(false, n)
					time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
					s.use(s.startOn(n.host, n.Name(), s.addrs(), nil))
				}
				for _, n := range s.all() {
					waitActive(s.t, n.Node)
				}
				s.agreed()
				s.noneLost(entries)
			}
			stop()
			clients.Wait()
		})
	})
}

// Copies are evicted by each node for itself, and no read finds what was
// overwritten or deleted, whoever takes over from whom.
func TestSimEvictedCopies(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), func(s *simulation) {
			r := rand.New(rand.NewPCG(s.seed, 9))
			b := 1 + int(s.seed%2)
			s.near = []time.Duration{-1, 100 * time.Millisecond}[r.IntN(2)]
			s.mayFail = true
			s.change = func(c *Config) {
				backups(b)(c)
				c.Memory, c.MaxValue = 32<<10, 64 // some hundred entries
			}
			s.cluster(b + 2 + r.IntN(2))
			ctx, stop := context.WithCancel(context.Background())
			var clients sync.WaitGroup
			for i := range 4 {
				clients.Go(func() { s.client(ctx, i) })
			}
			clients.Go(func() { // makes room scarce
				for i := 0; ctx.Err() == nil; i++ {
					_ = s.all()[0].keep.Set(context.Background(), kept(i), []byte("v")) // may fail
					time.Sleep(time.Millisecond)
				}
			})
			for round := range 6 {
				time.Sleep(time.Duration(200+r.IntN(300)) * time.Millisecond)
				n := s.pick(r)
				switch r.IntN(3) {
				case 0:
					s.crash(false, n)
					s.joinOn(n.host, n.Name())
				case 1:
					s.leave(n)
					s.joinOn(n.host, n.Name())
				case 2:
					s.join(fmt.Sprint("late", round))
				}
				s.agreed()
			}
			evicted := uint64(0)
			for _, n := range s.all() {
				evicted += n.Stats().Store.Owned.Evictions
			}
			stop()
			clients.Wait()
			if evicted == 0 {
				s.errorf("nothing was evicted")
			}
		})
	})
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/sim"
)

// Calls take little longer while contents are copied, which is much more than a way
// brings in the time of a call.
func TestSimCallsBesideCopies(t *testing.T) {
	const entries, size, callers = 20_000, 4 << 10, 8
	simulate(t, 1, gigabit(), func(s *simulation) {
		s.near = -1
		nodes := s.cluster(3)
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := w; i < entries; i += 16 {
					if err := nodes[w%3].keep.Set(context.Background(), kept(i), make([]byte, size)); err != nil {
						s.errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		var mu sync.Mutex // guards took
		var took []time.Duration
		ctx, stop := context.WithCancel(context.Background())
		for w := range callers {
			wg.Go(func() { // on those that stay
				r := rand.New(rand.NewPCG(1, uint64(w)))
				for ctx.Err() == nil {
					begin := time.Now()
					_, err := nodes[w%2].keep.Get(context.Background(), kept(r.IntN(entries)))
					if err != nil && !errors.Is(err, ErrNotFound) {
						s.errorf("%v", err)
					}
					mu.Lock()
					took = append(took, time.Since(begin))
					mu.Unlock()
					time.Sleep(time.Duration(r.IntN(1000)) * time.Microsecond)
				}
			})
		}
		p99 := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(took)
			at := took[len(took)*99/100]
			took = nil
			return at
		}
		time.Sleep(time.Second)
		before := p99()
		// What is copied ahead of a leave goes between members that call each other.
		begin := time.Now()
		n := nodes[2]
		wg.Go(func() {
			if err := n.Leave(context.Background()); err != nil {
				s.errorf("%v", err)
			}
		})
		for n.members.me().State != leaving {
			time.Sleep(100 * time.Microsecond)
		}
		during, lasted := p99(), time.Since(begin)
		stop()
		wg.Wait()
		t.Logf("p99 %v before, %v in the %v in which %d entries were copied", before, during, lasted, n.Stats().Copied)
		if during > 3*before {
			s.errorf("p99 %v while entries are copied, over three times %v", during, before)
		}
	})
}

// The connection for contents is closed when it is not used any longer, and made
// again when it is.
func TestSimBulkConnections(t *testing.T) {
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(2)
		s.fill(2000)
		bulky := func(n *simNode) (count int) {
			for _, l := range *n.members.linked.Load() {
				l.bulk.mu.Lock()
				if l.bulk.conn != nil {
					count++
				}
				l.bulk.mu.Unlock()
			}
			return count
		}
		for range 3 {
			n := s.join(fmt.Sprint("n", s.hosts+1))
			if bulky(n) == 0 {
				s.errorf("none after a join")
			}
			time.Sleep(2*bulkIdle + time.Second)
			for _, n := range s.all() {
				if bulky(n) > 0 {
					s.errorf("%s: there is one still", n.Name())
				}
			}
			s.leave(n)
			time.Sleep(2*bulkIdle + time.Second)
		}
		for _, n := range nodes {
			if bulky(n) > 0 {
				s.errorf("%s: there is one still, after a leave", n.Name())
			}
		}
		s.noneLost(2000)
	})
}

// A connection for contents that goes dead without a word costs a join seconds, and
// nothing else.
func TestSimForgottenBulk(t *testing.T) {
	simulate(t, 1, gigabit(), func(s *simulation) {
		s.cluster(2)
		s.fill(20_000)
		begin := time.Now()
		n := s.startOn(s.host(), "n3", s.addrs(), nil)
		s.use(n)
		eventually(t, "copying has begun", func() bool { return n.Stats().Copied > 0 })
		for _, o := range s.all()[:2] {
			s.net.Forget(o.host.Name(), n.host.Name())
		}
		waitActive(t, n.Node)
		if took := time.Since(begin); took > 2*stallWithin+time.Second {
			s.errorf("it took %v", took)
		}
		s.agreed()
		s.noneLost(20_000)
	})
}

// A slot's contents that no take and no sync wants any longer are not fetched, also
// where they cannot be had.
func TestSimFetchesThatNobodyWants(t *testing.T) {
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(2)
		s.net.Split([]string{nodes[0].host.Name()}, []string{nodes[1].host.Name()}, sim.Refuse)
		for i := range 2 * fetchesAtATime {
			nodes[0].fetch(protocol.Fetch{Slot: i, From: nodes[1].id, Nonce: 1 << 40})
		}
		synctest.Wait()
		if places := len(nodes[0].fetches); places > 0 {
			s.errorf("%d places are taken", places)
		}
		s.net.Heal()
		s.agreed()
	})
}

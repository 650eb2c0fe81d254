package cluster

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// What a broken connection has lost is repeated: whenever in a join or a leave
// the streams between two members break, or their packets and streams are
// swallowed for a moment, it comes to its end, and nothing is lost.
func TestSimBrokenConnections(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), brokenConnections)
	})
}

func brokenConnections(s *simulation) {
	const entries, rounds, faultsEach = 300, 2, 4
	r := rand.New(rand.NewPCG(s.seed, 3))
	s.near = 100 * time.Millisecond
	s.cluster(3)
	s.fill(entries)
	var faults sync.WaitGroup
	strike := func() {
		hosts := s.net.Hosts()
		r.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
		a, b := hosts[:1], hosts[1:2]
		what, when, lasts := r.IntN(3), time.Duration(r.IntN(60000))*time.Microsecond, time.Duration(r.IntN(20000))*time.Microsecond
		faults.Go(func() {
			time.Sleep(when)
			switch what {
			case 0:
				s.net.Break(a[0], b[0])
				return
			case 1:
				s.net.Split(a, b, sim.BlackHole)
			case 2:
				s.net.Split(a, b, sim.Refuse)
			}
			time.Sleep(lasts)
			s.net.Split(a, b, sim.Open)
		})
	}
	timely := func(what string, f func()) {
		begin := time.Now()
		for range faultsEach {
			strike()
		}
		f()
		if took := time.Since(begin); took > 10*time.Second {
			s.errorf("%s took %v", what, took)
		}
		faults.Wait()
		s.agreed()
		s.linked()
		s.noneLost(entries)
	}
	for i := range rounds {
		h := s.host()
		timely("joining", func() { s.joinOn(h, fmt.Sprint("late", i)) })
		timely("leaving", func() { s.leave(s.pick(r)) })
	}
	s.t.Logf("%+v", s.net.Stats())
}

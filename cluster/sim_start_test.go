package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// Nodes that start at the same instant, each with the addresses of all, become
// one cluster.
func TestSimStartTogether(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), func(s *simulation) {
			count := 2 + int(seed%2)*(1+rand.New(rand.NewPCG(seed, 4)).IntN(7))
			var hosts []*sim.Host
			var seeds []string
			for range count {
				hosts = append(hosts, s.host())
				seeds = append(seeds, hosts[len(hosts)-1].Addr()+simPort)
			}
			for i, h := range hosts {
				s.use(s.startOn(h, fmt.Sprint("n", i+1), seeds, nil))
			}
			for _, n := range s.all() {
				waitActive(t, n.Node)
			}
			s.agreed()
			took := time.Since(s.start)
			if took > 10*time.Second {
				t.Errorf("%d nodes were one cluster only after %v", count, took)
			}
			t.Logf("%d nodes were one cluster after %v", count, took)
		})
	})
}

// Two nodes, or three and two, that begin apart and meet later lose nothing,
// agree on the newest value of what both have written, and bring nothing back
// that was deleted or cleared.
func TestSimSoloStartsMeet(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), soloStartsMeet)
	})
}

func soloStartsMeet(s *simulation) {
	t, ctx := s.t, context.Background()
	r := rand.New(rand.NewPCG(s.seed, 2))
	s.near = []time.Duration{-1, time.Second}[r.IntN(2)]
	large := int(s.seed % 2)
	// Those of the first side are told of the second's first host, which the
	// network does not let through yet.
	hosts := [2][]*sim.Host{}
	var names [2][]string
	for side, count := range [2]int{1 + 2*large, 1 + large} {
		for range count {
			h := s.host()
			hosts[side] = append(hosts[side], h)
			names[side] = append(names[side], h.Name())
		}
	}
	s.net.Split(names[0], names[1], sim.BlackHole)
	var sides [2][]*simNode
	for side := range hosts {
		seeds := []string{hosts[1][0].Addr() + simPort, hosts[side][0].Addr() + simPort}
		for i, h := range hosts[side] {
			n := s.startOn(h, fmt.Sprintf("side%d-%d", side, i), seeds, nil)
			s.use(n)
			waitActive(t, n.Node)
			sides[side] = append(sides[side], n)
		}
		var nodes []*Node
		for _, n := range sides[side] {
			nodes = append(nodes, n.Node)
		}
		waitAgreed(t, nodes...)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	// What each key has come to, from its last write on either side.
	want := make(map[string]string)
	for i := range 1500 {
		n := sides[r.IntN(2)][0]
		key := kept(r.IntN(300))
		if r.IntN(3) == 0 {
			must(n.keep.Delete(ctx, key))
			delete(want, key)
		} else {
			v := fmt.Sprint(i)
			must(n.keep.Set(ctx, key, []byte(v)))
			want[key] = v
		}
		time.Sleep(2 * time.Millisecond) // so that the two clocks agree on the order
	}
	for side := range sides {
		must(sides[side][0].c.Set(ctx, fmt.Sprint("before", side), []byte("v")))
	}
	must(sides[r.IntN(2)][0].c.Clear(ctx))
	s.net.Heal()
	healed := time.Now()
	s.agreed()
	t.Logf("%d and %d nodes agreed %v after the network let them", len(sides[0]), len(sides[1]), time.Since(healed))
	for _, n := range s.all() {
		for i := range 300 {
			v, err := n.keep.Get(ctx, kept(i))
			if err != nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", n.Name(), err)
			}
			if string(v) != want[kept(i)] {
				t.Errorf("%s has %q of %s, not %q", n.Name(), v, kept(i), want[kept(i)])
			}
		}
		for side := range sides {
			if v, err := n.c.Get(ctx, fmt.Sprint("before", side)); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s has %q of what was cleared: %v", n.Name(), v, err)
			}
		}
	}
}

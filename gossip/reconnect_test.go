package gossip

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// memberlist alone never reunites the two halves once it has forgotten the dead.
func TestHealedSplitFindsItself(t *testing.T) {
	for _, n := range []int{2, 4, 10} {
		for _, apart := range []time.Duration{10 * time.Second, 45 * time.Second, 2 * time.Minute} {
			t.Run(fmt.Sprintf("nodes=%d/apart=%v", n, apart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					net, hosts, all := simulate(t, n+1)
					_ = all[0].Leave(t.Context()) // the only seed: no help from there
					_ = all[0].Close()
					hosts, all = hosts[1:], all[1:]
					time.Sleep(30 * time.Second)
					left := make(map[string]bool)
					for _, h := range hosts[:n/2] {
						left[h.addr.String()] = true
					}
					net.setCut(func(from, to string) bool { return left[from] != left[to] })
					time.Sleep(apart)
					for _, p := range all {
						if len(p.Members()) != n/2-1 {
							t.Fatalf("%s has %q while cut off", p.cfg.ID, p.ids())
						}
					}
					net.setCut(nil)
					begin := time.Now()
					for _, p := range all {
						until(t, "all are members again", func() bool { return len(p.Members()) == n-1 })
					}
					t.Logf("together again after %v", time.Since(begin))
					time.Sleep(time.Minute)
					for _, p := range all {
						if len(p.Members()) != n-1 {
							t.Errorf("a minute later %s has %q", p.cfg.ID, p.ids())
						}
					}
				})
			})
		}
	}
}

// Two that start alone, each with the other's address, at the same time or
// hours apart.
func TestTwoSoloStartsMeet(t *testing.T) {
	for _, later := range []time.Duration{0, 3 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			x, y := net.host(0), net.host(1)
			net.setCut(func(_, _ string) bool { return true })
			a := start(t, Config{ID: "a", Transport: x, Join: []string{y.addr.String(), x.addr.String()}})
			time.Sleep(later)
			b := start(t, Config{ID: "b", Transport: y, Join: []string{y.addr.String(), x.addr.String()}})
			time.Sleep(time.Minute)
			net.setCut(nil)
			begin := time.Now()
			meet(t, a, b)
			t.Logf("started %v apart, met after %v", later, time.Since(begin))
		})
	}
}

// Two clusters that started apart meet when a name leads from one to the other,
// although each has members already.
func TestClustersMeetBySeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		var all []*peer
		var seeds []string
		for i := range 4 {
			h := net.host(i)
			seeds = append(seeds, h.addr.String())
			if i == 2 {
				seeds = seeds[2:]
			}
			all = append(all, start(t, Config{ID: fmt.Sprint("n", i), Transport: h, Join: seeds}))
		}
		time.Sleep(5 * time.Minute)
		if got := all[0].ids(); got != "n1" {
			t.Fatalf("n0 has %q", got)
		}
		// n4 knows one of each.
		all = append(all, start(t, Config{ID: "n4", Transport: net.host(4), Join: []string{"10.0.0.1", "10.0.0.3"}}))
		meet(t, all...)
	})
}

func TestGraveyard(t *testing.T) {
	y := newGraveyard()
	now := time.Now()
	m := func(i int) Member { return Member{ID: fmt.Sprint("n", i), Addr: fmt.Sprint("10.0.0.1:", i)} }
	for i := range maxDead + 10 {
		y.add(m(i), now)
	}
	y.add(m(20), now.Add(time.Second)) // again
	if len(y.dead) != maxDead || y.dead[0].id != "n10" {
		t.Errorf("%d are kept, the first is %s", len(y.dead), y.dead[0].id)
	}
	if got := y.due(now); len(got) != 0 {
		t.Errorf("%d are due at once", len(got))
	}
	due := y.due(now.Add(firstPause))
	if len(due) != maxDead-1 {
		t.Errorf("%d are due after the first pause", len(due))
	}
	for _, d := range due {
		d.failed(now.Add(firstPause))
	}
	y.forget(m(11))
	y.forget(Member{ID: "other", Addr: m(12).Addr})
	y.keep(due)
	if len(y.dead) != maxDead-2 || y.dead[1].pause != 2*firstPause {
		t.Errorf("%d are kept, the pause is %v", len(y.dead), y.dead[1].pause)
	}
	if next, ok := y.next(); !ok || !next.After(now) {
		t.Errorf("the next is due at %v, %v", next, ok)
	}
	if got := y.due(now.Add(deadFor + 2*time.Second)); len(got) != 0 || len(y.dead) != 0 {
		t.Errorf("%d are kept for ever", len(y.dead))
	}
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// What a cluster may take after a cut is lifted: to agree on its members, and then
// on every key.
const (
	membersWithin = 30 * time.Second
	keysWithin    = 10 * time.Second
)

// doomed is a cluster of six that is going to be cut apart, and what became of its
// keys.
type doomed struct {
	*simulation
	nodes [2][]*simNode
	r     *rand.Rand
	want  map[string]string // in keep; what is not there was deleted
	// unsure are keys with a write that failed: it may take effect at any time, also
	// when a stream that was cut off delivers it late.
	unsure map[string]bool
	keys   int
	acked  int
}

func newDoomed(s *simulation, one int, change func(*Config)) *doomed {
	d := &doomed{simulation: s, r: rand.New(rand.NewPCG(s.seed, 6)), want: make(map[string]string), unsure: make(map[string]bool)}
	s.change = change
	s.near = []time.Duration{-1, time.Second, DefaultNearTTL}[d.r.IntN(3)]
	all := s.cluster(6)
	d.nodes = [2][]*simNode{all[:one], all[one:]}
	s.settled()
	for i := range 200 {
		d.set(all[i%6], i)
		d.keys++
	}
	for i := range 20 {
		if err := all[i%6].c.Set(context.Background(), fmt.Sprint("cleared", i), []byte("v")); err != nil {
			s.errorf("before the cut: %v", err)
		}
	}
	return d
}

func (d *doomed) hosts(side int) []string {
	var list []string
	for _, n := range d.nodes[side] {
		list = append(list, n.host.Name())
	}
	return list
}

func (d *doomed) set(n *simNode, i int) {
	v := fmt.Sprint(d.values.Add(1))
	if err := n.keep.Set(context.Background(), kept(i), []byte(v)); err == nil {
		d.want[kept(i)] = v
		d.acked++
	} else {
		d.unsure[kept(i)] = true
	}
}

func (d *doomed) delete(n *simNode, i int) {
	if err := n.keep.Delete(context.Background(), kept(i)); err == nil {
		delete(d.want, kept(i))
		d.acked++
	} else {
		d.unsure[kept(i)] = true
	}
}

// live writes and deletes on both sides, so that of two writes of a key it is clear
// which came later.
func (d *doomed) live(lasts time.Duration) {
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		side := d.nodes[d.r.IntN(2)]
		n, i := side[d.r.IntN(len(side))], d.r.IntN(d.keys)
		if d.r.IntN(3) == 0 {
			d.delete(n, i)
		} else {
			d.set(n, i)
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// healed checks that all agree in time, and on what was written last.
func (d *doomed) healed(what string) {
	d.t.Helper()
	begin := time.Now()
	var members time.Duration
	for members == 0 {
		agreed := true
		for _, n := range d.all() {
			agreed = agreed && len(n.members.view.Load().table.Active) == len(d.all()) &&
				n.members.view.Load().table.Digest == d.all()[0].members.view.Load().table.Digest
		}
		if since := time.Since(begin); agreed || since > 2*membersWithin {
			members = since
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if members > membersWithin {
		d.errorf("%s: all agreed on the members after %v: %+v", what, members, d.all()[0].Members())
	}
	bad := ""
	for {
		if bad = d.different(); bad == "" || time.Since(begin) > members+keysWithin {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if bad != "" {
		d.errorf("%s: %v after all agreed on the members: %s", what, time.Since(begin)-members, bad)
	}
	d.t.Logf("%s: all agreed on the members after %v, on every key after %v; %d writes acknowledged, %d keys unsure", what,
		members.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond), d.acked, len(d.unsure))
}

// different says what somebody has that it should not, or has not.
func (d *doomed) different() string {
	for _, n := range d.all() {
		for i := range d.keys {
			want, there := d.want[kept(i)]
			v, err := n.keep.Get(context.Background(), kept(i))
			switch {
			case d.unsure[kept(i)]:
			case err != nil && !errors.Is(err, ErrNotFound):
				return fmt.Sprintf("%s: %s: %v", n.Name(), kept(i), err)
			case err == nil && !there:
				return fmt.Sprintf("%s: %s was deleted and is %s", n.Name(), kept(i), v)
			case there && string(v) != want:
				return fmt.Sprintf("%s: %s is %q and was set to %s", n.Name(), kept(i), v, want)
			}
		}
		for i := range 20 {
			if v, err := n.c.Get(context.Background(), fmt.Sprint("cleared", i)); !errors.Is(err, ErrNotFound) {
				return fmt.Sprintf("%s: cleared%d is %q, %v", n.Name(), i, v, err)
			}
		}
	}
	return ""
}

func onlyNodes(nodes []*simNode) []*Node {
	var list []*Node
	for _, n := range nodes {
		list = append(list, n.Node)
	}
	return list
}

// P3: a cluster of six that was cut 3:3 or 5:1 agrees on everything soon after
// the cut is lifted, and nothing that was deleted or cleared meanwhile comes back.
func TestSimSplit(t *testing.T) {
	if testing.Short() {
		t.Skip("long simulations run without -short")
	}
	long := []time.Duration{5 * time.Second, time.Minute, 10 * time.Minute}
	if slotCount >= 1<<15 {
		// Tombstones are over by then, and what is forgotten with one takes what
		// is older in its slot along: with few slots the test's keys share them.
		long = append(long, 25*time.Minute)
	}
	for _, one := range []int{3, 5} {
		for _, lasts := range long {
			for _, cut := range []sim.Cut{sim.BlackHole, sim.Refuse} {
				what := fmt.Sprintf("%d:%d for %v, cut %d", one, 6-one, lasts, cut)
				t.Run(what, func(t *testing.T) {
					eachSeed(t, 1, func(t *testing.T, seed uint64) {
						simulate(t, seed, sim.LAN(), func(s *simulation) {
							d := newDoomed(s, one, nil)
							s.net.Split(d.hosts(0), d.hosts(1), cut)
							begin := time.Now()
							d.live(min(lasts, 5*time.Second))
							if lasts > 5*time.Second {
								// Once each side is a cluster of its own, nothing fails.
								for _, nodes := range d.nodes {
									waitAgreed(t, onlyNodes(nodes)...)
									time.Sleep(max(s.near, 0)) // leases of the other side end
									t.Logf("%d nodes went on by themselves after %v", len(nodes), time.Since(begin))
									for i := range 100 {
										n, k := nodes[i%len(nodes)], d.r.IntN(d.keys)
										before := d.acked
										if i%3 == 0 {
											d.delete(n, k)
										} else {
											d.set(n, k)
										}
										if d.acked == before {
											t.Errorf("a write on a side of its own failed")
										}
										time.Sleep(3 * time.Millisecond)
									}
								}
							}
							if err := d.nodes[d.r.IntN(2)][0].c.Clear(context.Background()); err != nil && lasts > 5*time.Second {
								t.Errorf("a clear failed: %v", err)
							}
							time.Sleep(max(0, lasts-time.Since(begin)))
							s.net.Heal()
							d.healed(what)
						})
					})
				})
			}
		}
	}
}

// A hears B, and B does not hear A.
func TestSimAsymmetricCut(t *testing.T) {
	for _, lasts := range []time.Duration{10 * time.Second, time.Minute} {
		eachSeed(t, 1, func(t *testing.T, seed uint64) {
			simulate(t, seed, sim.LAN(), func(s *simulation) {
				d := newDoomed(s, 3, nil)
				for _, a := range d.hosts(0) {
					for _, b := range d.hosts(1) {
						s.net.Cut(a, b, sim.BlackHole)
					}
				}
				begin := time.Now()
				d.live(3 * time.Second)
				_ = d.nodes[0][0].c.Clear(context.Background())
				time.Sleep(lasts - time.Since(begin))
				s.net.Heal()
				_ = d.all()[0].c.Clear(context.Background())
				d.healed(fmt.Sprint("one way only for ", lasts))
			})
		})
	}
}

// A link that comes and goes.
func TestSimFlappingCut(t *testing.T) {
	if testing.Short() {
		t.Skip("long simulations run without -short")
	}
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), func(s *simulation) {
			d := newDoomed(s, 3+int(seed%3), nil)
			for range 12 {
				s.net.Split(d.hosts(0), d.hosts(1), sim.BlackHole)
				d.live(time.Duration(200+d.r.IntN(4000)) * time.Millisecond)
				s.net.Heal()
				d.live(time.Duration(200+d.r.IntN(4000)) * time.Millisecond)
			}
			_ = d.all()[0].c.Clear(context.Background())
			d.healed("a link that came and went 12 times")
		})
	})
}

// What two sides of a split write in the same moment are two versions, of which all take
// the same in the end.
func TestSimSplitInTheSameMoment(t *testing.T) {
	const keys = 100
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		s.change = backups(1)
		nodes := s.cluster(4)
		s.settled()
		one, other := []string{nodes[0].host.Name(), nodes[1].host.Name()}, []string{nodes[2].host.Name(), nodes[3].host.Name()}
		s.net.Split(one, other, sim.BlackHole)
		s.apart(nodes[:2], nodes[2:])
		var wg sync.WaitGroup
		for i := range keys {
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			for _, n := range nodes[1:3] {
				wg.Go(func() {
					if err := n.keep.Set(context.Background(), kept(i), []byte(n.Name())); err != nil {
						s.errorf("%v", err)
					}
				})
			}
			wg.Wait()
		}
		s.net.Heal()
		s.agreed()
		s.settled()
		before := make([]string, keys)
		for i := range keys {
			v, err := nodes[0].keep.Get(context.Background(), kept(i))
			if err != nil {
				s.errorf("%v", err)
			}
			before[i] = string(v)
		}
		s.kill(nodes[3])
		s.agreed()
		time.Sleep(DefaultNearTTL)
		for i := range keys {
			if v, err := nodes[0].keep.Get(context.Background(), kept(i)); string(v) != before[i] {
				s.errorf("%s was %s, and is %s from its backup: %v", kept(i), before[i], v, err)
			}
		}
	})
}

// A Delete on one side of a split is newer than what a member of that side had read
// before, or set through the other side, though the clock of who had written it was
// ahead.
func TestSimSplitDeletesWhatWasKnown(t *testing.T) {
	for _, read := range []bool{true, false} {
		t.Run(fmt.Sprintf("read=%v", read), func(t *testing.T) { deletesWhatWasKnown(t, read) })
	}
}

func deletesWhatWasKnown(t *testing.T, read bool) {
	simulate(t, 2, sim.LAN(), func(s *simulation) {
		s.change, s.near = backups(0), -1
		nodes, ctx := s.cluster(4), context.Background()
		s.settled()
		one, others := nodes[0], nodes[1:]
		one.host.SetClock(10*time.Minute, 0)
		keys := s.ownedBy(one, "c", 20)
		for i, key := range keys {
			setter := others[i%3]
			if read {
				setter = one
			}
			if err := setter.c.Set(ctx, key, []byte("old")); err != nil {
				t.Fatal(err)
			}
			if !read {
				continue
			}
			if _, err := others[i%3].c.Get(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		s.net.Split(hostsOf(nodes[:1]), hostsOf(others), sim.BlackHole)
		eventually(t, "the others have gone on", func() bool {
			for _, n := range others {
				if n.Stats().Members != 3 || n.Stats().SlotsActive != n.Stats().SlotsOwned {
					return false
				}
			}
			return true
		})
		for i, key := range keys {
			if err := others[i%3].c.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		s.net.Heal()
		s.agreed()
		for _, key := range keys {
			for _, n := range nodes {
				if v, err := n.c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s has %s again: %q, %v", n.Name(), key, v, err)
				}
			}
		}
	})
}

// What a Clear has removed on one side of a split is newer than what the other side has
// set before, also if that side has cleared more often: the older does not live on.
func TestSimSplitClearRemovesNewer(t *testing.T) {
	simulate(t, 3, sim.LAN(), func(s *simulation) {
		s.change, s.near = backups(1), -1
		nodes, ctx := s.cluster(4), context.Background()
		s.settled()
		time.Sleep(2 * missedAfter) // all who begin remember for so long
		a, b := nodes[:2], nodes[2:]
		s.net.Split(hostsOf(a), hostsOf(b), sim.BlackHole)
		s.apart(nodes[:2], nodes[2:])
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(a[0].c.Clear(ctx))
		must(a[1].c.Clear(ctx))
		const keys = 30
		for i := range keys {
			must(a[i%2].c.Set(ctx, fmt.Sprint("k", i), []byte("a")))
		}
		time.Sleep(time.Second)
		for i := range keys {
			if i%3 < 2 {
				must(b[i%2].c.Delete(ctx, fmt.Sprint("k", i)))
			}
			if i%3 > 0 {
				must(b[i%2].c.Set(ctx, fmt.Sprint("k", i), []byte("b")))
			}
		}
		must(b[0].c.Clear(ctx))
		s.net.Heal()
		s.agreed()
		for i := range keys {
			for _, n := range nodes {
				if v, err := n.c.Get(ctx, fmt.Sprint("k", i)); !errors.Is(err, ErrNotFound) {
					t.Errorf("k%d at %s is %q, %v", i, n.Name(), v, err)
				}
			}
		}
	})
}

// deletedApart deletes keys on one side of a split, b, and looks whether the other's
// values come back when it is over. Then says which keys it has deleted.
func deletedApart(t *testing.T, then func(s *simulation, a, b []*simNode) (keys []string)) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute with the race detector; make test runs it without")
	}
	simulate(t, 3, sim.LAN(), func(s *simulation) {
		s.change, s.near = backups(0), -1
		nodes, ctx := s.cluster(4), context.Background()
		s.settled()
		for i := range 60 {
			if err := nodes[i%4].c.Set(ctx, fmt.Sprint("k", i), []byte("old")); err != nil {
				t.Fatal(err)
			}
		}
		a, b := nodes[:2], nodes[2:]
		s.net.Split(hostsOf(a), hostsOf(b), sim.BlackHole)
		s.apart(a, b)
		keys := then(s, a, b)
		s.net.Heal()
		s.agreed()
		for _, k := range keys {
			if v, err := nodes[0].c.Get(ctx, k); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s is back: %q, %v", k, v, err)
			}
		}
		if len(keys) == 0 {
			t.Error("nothing was deleted")
		}
	})
}

// apart waits until each side serves all by itself.
func (s *simulation) apart(sides ...[]*simNode) {
	s.t.Helper()
	eventually(s.t, "each side serves", func() bool {
		for _, side := range sides {
			for _, n := range side {
				if n.Stats().Members != len(side) || n.Stats().SlotsActive != n.Stats().SlotsOwned {
					return false
				}
			}
		}
		return true
	})
}

// What was deleted and set again, with a time to live that is longer than deletions are
// remembered, is still deleted when that is over.
func TestSimSplitDeletedAndSetAgain(t *testing.T) {
	for _, ttl := range []time.Duration{5 * time.Minute, 15 * time.Minute} {
		for _, clear := range []bool{false, true} {
			t.Run(fmt.Sprintf("ttl=%v/clear=%v", ttl, clear), func(t *testing.T) {
				deletedApart(t, func(_ *simulation, a, b []*simNode) (keys []string) {
					ctx := context.Background()
					for i := range 60 {
						keys = append(keys, fmt.Sprint("k", i))
					}
					all := func(f func(i int, key string) error) {
						for i, key := range keys {
							if err := f(i%2, key); err != nil {
								t.Fatal(err)
							}
						}
					}
					if clear { // less often than the other side, which sets all again
						all(func(i int, _ string) error { return a[i].c.Clear(ctx) })
						all(func(i int, key string) error { return a[i].c.Set(ctx, key, []byte("old")) })
						time.Sleep(time.Second)
						all(func(i int, key string) error { return b[i].c.Set(ctx, key, []byte("newer")) })
						if err := b[0].c.Clear(ctx); err != nil {
							t.Fatal(err)
						}
					} else {
						all(func(i int, key string) error { return b[i].c.Delete(ctx, key) })
					}
					all(func(i int, key string) error { return b[i].c.SetTTL(ctx, key, []byte("new"), ttl) })
					time.Sleep(16 * time.Minute)
					return keys
				})
			})
		}
	}
}

// Who joins one side of a split, or is started anew there, remembers what is deleted
// for the other's sake.
func TestSimSplitJoinerRemembers(t *testing.T) {
	deletedApart(t, func(s *simulation, a, b []*simNode) (keys []string) {
		h := s.host()
		s.net.Split([]string{h.Name()}, hostsOf(a), sim.BlackHole)
		d := s.startOn(h, "joiner", []string{b[0].GossipAddr()}, s.change)
		s.use(d)
		s.apart(append([]*simNode{d}, b...))
		for i := range 60 {
			k := fmt.Sprint("k", i)
			if d.Where("c", k).Owner != "joiner" {
				continue
			}
			if err := b[i%2].c.Delete(context.Background(), k); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
		}
		time.Sleep(11 * time.Minute)
		return keys
	})
}

// Nor does it where the one side has noticed the cut, and the other has not yet.
func TestSimSplitClearedBeforeNoticed(t *testing.T) {
	simulate(t, 3, sim.LAN(), func(s *simulation) {
		s.change, s.near = func(c *Config) { c.Backups, c.RequestTimeout = -1, time.Minute }, -1
		nodes, ctx := s.cluster(4), context.Background()
		s.settled()
		time.Sleep(2 * missedAfter) // all who begin remember for so long
		a, b := nodes[:2], nodes[2:]
		const keys = 60
		var theirs []string
		for i := range keys {
			key := fmt.Sprint("k", i)
			if slot := a[0].Where("c", key); slot.Owner == b[0].Name() || slot.Owner == b[1].Name() {
				theirs = append(theirs, key)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		// A is refused, which it sees at once; then B hears nothing, which takes it seconds.
		between := func(cut func(x, y string)) {
			for _, x := range hostsOf(a) {
				for _, y := range hostsOf(b) {
					cut(x, y)
				}
			}
		}
		between(func(x, y string) { s.net.Cut(x, y, sim.Refuse) })
		s.apart(a)
		between(func(x, y string) { s.net.Cut(y, x, sim.BlackHole) })
		must(a[0].c.Clear(ctx))
		must(a[1].c.Clear(ctx))
		for i, key := range theirs {
			must(a[i%2].c.Set(ctx, key, []byte("older")))
		}
		time.Sleep(20 * time.Millisecond)
		for i, key := range theirs {
			must(b[i%2].c.Set(ctx, key, []byte("newer")))
		}
		var clearing sync.WaitGroup
		clearing.Go(func() {
			if err := b[0].c.Clear(ctx); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(20 * time.Millisecond)
		for _, key := range theirs {
			for _, n := range b {
				if v, err := n.c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s is not cleared: %q, %v", key, v, err)
				}
			}
		}
		for _, n := range b {
			if m := n.Stats().Members; m != 4 {
				t.Fatalf("%s has noticed the cut: it has %d members", n.Name(), m)
			}
		}
		clearing.Wait()
		s.apart(b)
		s.net.Heal()
		s.agreed()
		for _, key := range theirs {
			for _, n := range nodes {
				if v, err := n.c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s at %s is %q, %v", key, n.Name(), v, err)
				}
			}
		}
	})
}

// Nor where two sides have begun without each other, since the network did not let them:
// one member knows from its Join that there may be others, and tells those who do not.
func TestSimSplitFromTheStart(t *testing.T) {
	for _, what := range []string{"cleared", "deleted"} {
		t.Run(what, func(t *testing.T) {
			simulate(t, 3, sim.LAN(), func(s *simulation) { splitFromTheStart(s, what == "cleared") })
		})
	}
}

func splitFromTheStart(s *simulation, clear bool) {
	t, ctx := s.t, context.Background()
	hosts := []*sim.Host{s.host(), s.host(), s.host()}
	addrs := make([]string, len(hosts))
	for i, h := range hosts {
		addrs[i] = h.Addr() + simPort
	}
	s.net.Split([]string{hosts[0].Name()}, []string{hosts[1].Name(), hosts[2].Name()}, sim.BlackHole)
	var nodes []*simNode
	for i, join := range [][]string{addrs, addrs[:2], addrs[1:2]} {
		n := s.startOn(hosts[i], fmt.Sprint("n", i+1), join, backups(0))
		s.use(n)
		waitActive(t, n.Node)
		nodes = append(nodes, n)
	}
	s.apart(nodes[:1], nodes[1:])
	time.Sleep(2 * missedAfter) // all who begin remember for so long
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a, b := nodes[0], nodes[2] // who seeks nobody
	must(a.c.Clear(ctx))
	must(a.c.Clear(ctx))
	const keys = 60
	each := func(f func(key string) error) {
		t.Helper()
		for i := range keys {
			must(f(fmt.Sprint("k", i)))
		}
	}
	each(func(key string) error { return a.c.Set(ctx, key, []byte("a")) })
	time.Sleep(time.Second)
	if clear {
		each(func(key string) error { return b.c.Set(ctx, key, []byte("b")) })
		must(b.c.Clear(ctx))
	} else { // what has never been there: nothing else tells that it may be elsewhere
		each(func(key string) error { return b.c.Delete(ctx, key) })
		time.Sleep(tombstone + time.Minute)
	}
	s.net.Heal()
	s.agreed()
	each(func(key string) error {
		for _, n := range nodes {
			if v, err := n.c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s at %s is %q, %v", key, n.Name(), v, err)
			}
		}
		return nil
	})
	time.Sleep(2 * missedAfter)
	for _, n := range nodes {
		if !n.store.Forget(0, 0) {
			t.Errorf("%s misses somebody still, and all are here", n.Name())
		}
	}
}

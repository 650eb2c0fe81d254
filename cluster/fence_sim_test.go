package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/sim"
)

// fenced is a cluster of five with a fence of three, and its clients.
type fenced struct {
	*simulation
	r      *rand.Rand
	served [5]atomic.Uint64 // hits and acknowledged writes, by node
	stalls [5]stall
}

// stall lets a node seem stopped: the goroutine that would notice waits, and the
// process is cut off from the network.
type stall struct {
	mu   sync.Mutex    // guards open
	open chan struct{} // closed when it goes on; nil: it is not stopped
}

func (x *stall) wait() {
	x.mu.Lock()
	open := x.open
	x.mu.Unlock()
	if open != nil {
		<-open
	}
}

func (x *stall) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open = make(chan struct{})
}

func (x *stall) resume() {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.open)
	x.open = nil
}

func newFenced(s *simulation, fence int) *fenced {
	f := &fenced{simulation: s, r: rand.New(rand.NewPCG(s.seed, 7))}
	if s.near == 0 {
		s.near = []time.Duration{-1, 300 * time.Millisecond, DefaultNearTTL}[f.r.IntN(3)]
	}
	for i := range 5 {
		n := s.startOn(s.host(), fmt.Sprint("n", i+1), s.addrs(), func(c *Config) { c.Fence, c.stall = fence, f.stalls[i].wait })
		s.use(n)
		waitActive(s.t, n.Node)
	}
	s.agreed()
	time.Sleep(2 * pingEvery)
	return f
}

// client makes calls on a node, which may fail, and notes them. What failed may
// take effect at any time; there are few such calls on one key, since keys change.
func (f *fenced) client(ctx context.Context, id, at int) {
	r := rand.New(rand.NewPCG(f.seed, 200+uint64(id)))
	n := f.all()[at]
	for ctx.Err() == nil {
		key := fmt.Sprintf("k%d/%d", r.IntN(6), time.Since(f.start)/(2*time.Second))
		if r.IntN(4) == 0 { // those that live on while tables change
			key = fmt.Sprintf("old%d/%d", r.IntN(8), time.Since(f.start)/(12*time.Second))
		}
		call, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		begin := f.history.now()
		switch p := r.IntN(100); {
		case p < 60:
			v, err := n.c.Get(call, key)
			if err == nil || errors.Is(err, ErrNotFound) {
				f.history.add(id, key, input{}, string(v), begin, f.history.now())
			}
			if err == nil {
				f.served[at].Add(1)
			}
		case p < 90:
			v := fmt.Sprint(f.values.Add(1))
			err := n.c.Set(call, key, []byte(v))
			f.write(id, at, key, v, begin, err)
		case p < 98:
			f.write(id, at, key, "", begin, n.c.Delete(call, key))
		default:
			err := n.c.Clear(call)
			end := f.history.now()
			if err != nil {
				end = never
			}
			if !errors.Is(err, errFenced) {
				f.history.clear(id, begin, end)
			}
		}
		cancel()
		time.Sleep(time.Duration(1+r.IntN(60)) * time.Millisecond)
	}
}

func (f *fenced) write(id, at int, key, v string, begin int64, err error) {
	if err == nil {
		f.served[at].Add(1)
	}
	f.wrote(id, key, v, begin, err)
}

// strike cuts the cluster apart, or stops a process, for a while.
func (f *fenced) strike() {
	nodes := f.all()
	f.r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	lasts := time.Duration(500+f.r.IntN(9000)) * time.Millisecond
	var two, three []string
	for i, n := range nodes {
		if i < 2 {
			two = append(two, n.host.Name())
		} else {
			three = append(three, n.host.Name())
		}
	}
	switch f.r.IntN(6) {
	case 0:
		f.net.Split(two, three, sim.BlackHole)
	case 1:
		f.net.Split(two, three, sim.Refuse)
	case 2:
		for _, a := range three {
			for _, b := range two {
				f.net.Cut(a, b, sim.BlackHole)
			}
		}
	case 4, 5:
		// The two are dropped at once, long before what they were answered last is too
		// old: what is waited for by who takes their slots.
		f.refuse(nodes[:2], nodes[2:])
	case 3:
		for i, n := range f.all() {
			if n == nodes[0] {
				f.stalls[i].stop()
				n.proc.Freeze()
				defer func() {
					f.stalls[i].resume()
					n.proc.Thaw()
				}()
			}
		}
	}
	time.Sleep(lasts)
	f.net.Heal()
}

// P1 with the fence: while five nodes are cut 2:3, one way only too, and processes
// are stopped and go on, no read is stale at any moment.
func TestSimFence(t *testing.T) {
	if testing.Short() {
		t.Skip("long simulations run without -short")
	}
	eachSeed(t, 3, func(t *testing.T, seed uint64) {
		simulate(t, seed, sim.LAN(), func(s *simulation) { fencedLife(newFenced(s, 3)) })
	})
}

func fencedLife(f *fenced) {
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for i := range 10 {
		clients.Go(func() { f.client(ctx, i, i%5) })
	}
	for range 6 {
		time.Sleep(time.Duration(f.r.IntN(3000)) * time.Millisecond)
		f.strike()
	}
	time.Sleep(10 * time.Second)
	stop()
	clients.Wait()
	f.history.prune()
	f.agreed()
	f.t.Logf("%d calls; answers from memory and acknowledgements by node: %v", f.history.calls(), served(f))
}

// whole ends a cut, and waits until all agree and hear each other.
func (f *fenced) whole() {
	f.t.Helper()
	f.net.Heal()
	f.agreed()
	for _, n := range f.all() {
		eventually(f.t, "it is heard", func() bool { return !n.fencedOff() })
	}
}

// prune leaves out the writes that failed and that no read needs: without them the
// check is quick. A read that finds nothing needs none.
func (h *history) prune() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, ops := range h.byKey {
		read := make(map[string]bool)
		for _, op := range ops {
			if !op.Input.(input).write {
				read[op.Output.(string)] = true
			}
		}
		h.byKey[key] = slices.DeleteFunc(ops, func(op porcupine.Operation) bool {
			in := op.Input.(input)
			return op.Return == never && (in.value == "" || !read[in.value])
		})
		if len(h.byKey[key]) == 0 {
			delete(h.byKey, key)
		}
	}
	h.clears = slices.DeleteFunc(h.clears, func(op porcupine.Operation) bool { return op.Return == never })
}

func served(f *fenced) (list []uint64) {
	for i := range f.served {
		list = append(list, f.served[i].Load())
	}
	return list
}

// Without the fence the same life gives stale reads: the test above can fail.
func TestSimFenceIsNeeded(t *testing.T) {
	for seed := range uint64(20) {
		s := simulate(t, seed+1, sim.LAN(), func(s *simulation) {
			s.wantsFaults = true
			fencedLife(newFenced(s, 0))
		})
		if s.faults.Load() > 0 {
			t.Logf("a stale read with seed %d", seed+1)
			return
		}
	}
	t.Error("no stale read in 20 lives without the fence")
}

// What each side of a cut serves: the larger one all, after a while; the smaller
// nothing, every Get at once a miss and every write ErrUnavailable.
func TestSimFenceSides(t *testing.T) {
	simulate(t, 21, sim.LAN(), func(s *simulation) {
		f := newFenced(s, 3)
		nodes, ctx := f.all(), context.Background()
		two, three := nodes[:2], nodes[2:]
		s.fill(50)
		d := &doomed{simulation: s, nodes: [2][]*simNode{two, three}}
		s.net.Split(d.hosts(0), d.hosts(1), sim.BlackHole)
		begin := time.Now()
		for _, n := range two {
			eventually(t, "it is fenced off", n.fencedOff)
		}
		off := time.Since(begin)
		if off > FenceFor {
			t.Errorf("the smaller side went on for %v", off)
		}
		for _, n := range two {
			for i := range 50 {
				asked := time.Now()
				if _, err := n.keep.Get(ctx, kept(i)); !errors.Is(err, ErrNotFound) {
					t.Errorf("a Get on the smaller side: %v", err)
				}
				for _, err := range []error{n.keep.Set(ctx, kept(i), nil), n.keep.Delete(ctx, kept(i)), n.keep.Clear(ctx)} {
					if !errors.Is(err, ErrUnavailable) {
						t.Errorf("a write on the smaller side: %v", err)
					}
				}
				if took := time.Since(asked); took > 0 {
					t.Errorf("being refused took %v", took)
				}
			}
			loads, err := NewCache(n.Node, "loads", Options[[]byte]{Load: func(context.Context, string) ([]byte, error) { return []byte("loaded"), nil }})
			if err != nil {
				t.Fatal(err)
			}
			if v, err := loads.Get(ctx, "k"); err != nil || string(v) != "loaded" {
				t.Errorf("a Load on the smaller side: %q, %v", v, err)
			}
			asked := time.Now()
			many, err := n.keep.GetMany(ctx, []string{kept(1), kept(2)})
			if took := time.Since(asked); len(many) > 0 || err != nil || took > 0 {
				t.Errorf("a GetMany on the smaller side after %v: %v, %v", took, many, err)
			}
		}
		waitAgreed(t, onlyNodes(three)...)
		gone := time.Since(begin)
		if gone > 5*time.Second+FenceFor {
			t.Errorf("the larger side served all after %v", gone)
		}
		time.Sleep(max(s.near, 0))
		for i := range 50 {
			if err := three[i%3].keep.Set(ctx, kept(i), []byte("new")); err != nil {
				t.Errorf("on the larger side: %v", err)
			}
		}
		if err := three[0].c.Clear(ctx); err != nil {
			t.Errorf("a Clear on the larger side: %v", err)
		}
		f.whole()
		for _, n := range nodes {
			for i := range 50 {
				if v, err := n.keep.Get(ctx, kept(i)); err != nil || string(v) != "new" {
					t.Errorf("%s after the cut: %q, %v", n.Name(), v, err)
				}
			}
		}
		t.Logf("the smaller side stopped after %v, the larger served all after %v", off, gone)
	})
}

// A crash with the fence: the dead node's keys are served again after FenceFor.
func TestSimFenceCrash(t *testing.T) {
	simulate(t, 22, sim.LAN(), func(s *simulation) {
		f := newFenced(s, 3)
		victim := f.all()[4]
		theirs := s.ownedBy(victim, "c", 20)
		begin := time.Now()
		s.kill(victim)
		waitAgreed(t, onlyNodes(s.all())...)
		took := time.Since(begin)
		if took < FenceFor || took > FenceFor+500*time.Millisecond {
			t.Errorf("all was served after %v", took)
		}
		time.Sleep(max(s.near, 0))
		for i, key := range theirs {
			if err := s.all()[i%4].c.Set(context.Background(), key, []byte("v")); err != nil {
				t.Error(err)
			}
		}
		// An orderly leave and a join need no such wait.
		begin = time.Now()
		s.leave(s.all()[3])
		s.agreed()
		left := time.Since(begin)
		if left > FenceFor {
			t.Errorf("a leave took %v", left)
		}
		t.Logf("served again %v after the crash; a leave took %v", took, left)
	})
}

// refuse lets members of one side be refused by the other's from now on: they are
// dropped at once, and live.
func (f *fenced) refuse(two, three []*simNode) {
	for _, a := range three {
		for _, b := range two {
			f.net.Cut(a.host.Name(), b.host.Name(), sim.Refuse)
			f.net.Break(a.host.Name(), b.host.Name())
		}
	}
}

// Two members that are dropped at once, and live, serve neither what they own nor
// near copies of each other's when others may have changed it; and they do not when
// they are let in again before they have taken their slots anew.
func TestSimFenceDroppedAtOnce(t *testing.T) {
	for _, lasts := range []time.Duration{400 * time.Millisecond, 4 * time.Second} {
		simulate(t, 23, sim.LAN(), func(s *simulation) {
			s.near = 20 * time.Second
			f := newFenced(s, 3)
			ctx := context.Background()
			time.Sleep(s.near) // leases of earlier owners end
			two, three := f.all()[:2], f.all()[2:]
			keys := append(s.ownedBy(two[0], "c", 10), s.ownedBy(two[1], "c", 10)...)
			for _, key := range keys {
				if err := three[0].c.Set(ctx, key, []byte("old")); err != nil {
					t.Fatal(err)
				}
				for _, n := range two {
					if _, err := n.c.Get(ctx, key); err != nil || !n.serves(key) {
						t.Fatalf("%s does not serve %s: %v", n.Name(), key, err)
					}
				}
			}
			f.refuse(two, three)
			cut := time.Now()
			var changed time.Duration
			healed := false
			for changed == 0 || !healed {
				if since := time.Since(cut); since > lasts && !healed {
					healed = true
					s.net.Heal()
				}
				for i, key := range keys {
					call, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
					err := three[i%3].c.Set(call, key, []byte("new"))
					cancel()
					if err != nil {
						continue
					}
					if changed == 0 {
						changed = time.Since(cut)
					}
					for _, n := range two {
						var hit cache.Hit
						if n.local(n.c.space, hashKey("c", key), key, &hit) && string(hit.Value) == "old" {
							t.Errorf("%v after the cut %s still has the old value of %s", time.Since(cut), n.Name(), key)
						}
					}
				}
				if time.Since(cut) > 30*time.Second {
					t.Fatal("nothing can be changed")
				}
			}
			s.agreed()
			t.Logf("refused for %v: the first change was acknowledged after %v", lasts, changed)
		})
	}
}

// With the fence the larger side's writes win, though the clocks of the members that
// were cut off, and that have all copies of what they own, are ahead.
func TestSimFenceWrongClocks(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, 30 * time.Hour} {
		simulate(t, 24, sim.LAN(), func(s *simulation) {
			s.change, s.near = backups(0), -1
			f := newFenced(s, 3)
			nodes, ctx := f.all(), context.Background()
			two, three := nodes[:2], nodes[2:]
			for _, n := range two {
				n.host.SetClock(ahead, 0)
			}
			time.Sleep(2 * pingEvery)
			s.fill(50)
			if err := nodes[0].keep.Delete(ctx, kept(0)); err != nil {
				t.Fatal(err)
			}
			s.net.Split(hostsOf(two), hostsOf(three), sim.BlackHole)
			waitAgreed(t, onlyNodes(three)...)
			for i := range 50 {
				var err error
				if i%5 == 1 {
					err = three[i%3].keep.Delete(ctx, kept(i))
				} else {
					err = three[i%3].keep.Set(ctx, kept(i), []byte("new"))
				}
				if err != nil {
					t.Errorf("on the larger side: %v", err)
				}
			}
			f.whole()
			for _, n := range nodes {
				for i := range 50 {
					v, err := n.keep.Get(ctx, kept(i))
					if i%5 == 1 && !errors.Is(err, ErrNotFound) || i%5 != 1 && string(v) != "new" {
						t.Errorf("clocks %v ahead, %s after the cut: %q, %v", ahead, n.Name(), v, err)
					}
				}
			}
		})
	}
}

func hostsOf(nodes []*simNode) (names []string) {
	for _, n := range nodes {
		names = append(names, n.host.Name())
	}
	return names
}

// That enough members have to hear of a version before it is made delays no call, also
// where a clock is ahead, the way is long, and slots go from one to another.
func TestSimFenceDelaysNoWrite(t *testing.T) {
	clocks := []time.Duration{10 * time.Second, 0, time.Hour}
	if testing.Short() {
		clocks = clocks[:1]
	}
	for _, ahead := range clocks {
		for _, link := range []sim.Link{sim.LAN(), {Latency: 25 * time.Millisecond}} {
			simulate(t, 5, link, func(s *simulation) {
				s.near = -1
				s.change = func(c *Config) { c.Fence, c.Backups = 2, 1 }
				nodes := s.cluster(3)
				nodes[0].host.SetClock(ahead, 0)
				time.Sleep(2 * FenceFor)
				ctx, cancel := context.WithCancel(context.Background())
				var longest atomic.Int64
				var clients sync.WaitGroup
				for i := range 12 {
					clients.Go(func() {
						n := nodes[i%3]
						for j := 0; ctx.Err() == nil; j++ {
							at := time.Now()
							if err := n.c.Set(context.Background(), fmt.Sprint("k", i, "/", j%50), nil); err != nil {
								s.errorf("clock %v ahead, latency %v: %v", ahead, link.Latency, err)
							}
							if _, err := n.c.Get(context.Background(), fmt.Sprint("k", (i+1)%12, "/", j%50)); err != nil && !errors.Is(err, ErrNotFound) {
								s.errorf("clock %v ahead, latency %v: %v", ahead, link.Latency, err)
							}
							if took := int64(time.Since(at)); took > longest.Load() {
								longest.Store(took)
							}
							time.Sleep(3 * time.Millisecond)
						}
					})
				}
				time.Sleep(time.Second)
				s.leave(s.join("fourth"))
				time.Sleep(time.Second)
				cancel()
				clients.Wait()
				if most := 250*time.Millisecond + 10*link.Latency; time.Duration(longest.Load()) > most {
					s.errorf("clock %v ahead, latency %v: a set and a get took %v", ahead, link.Latency, time.Duration(longest.Load()))
				}
				t.Logf("clock %v ahead, latency %v: at most %v for a set and a get", ahead, link.Latency, time.Duration(longest.Load()))
			})
		}
	}
}

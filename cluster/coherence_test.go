package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	coherenceFor  = flag.Duration("coherence.for", 10*time.Second, "how long each coherence test runs")
	coherenceSeed = flag.Uint64("coherence.seed", 0, "its seed; 0: a new one")
)

// workload makes random calls from many goroutines on nodes that come and go.
type workload struct {
	t       testing.TB
	seed    uint64
	history *history
	values  atomic.Uint64
	change  func(*Config) // of nodes that join
	quiet   bool          // calls may fail
	epoch   atomic.Uint64 // part of the hot keys' names, so that histories stay short

	mu    sync.RWMutex // held for reading by a call, for writing to change nodes
	nodes []*Node
	cache []*Cache[[]byte]
}

func (w *workload) add(n *Node) {
	c := openBytes(w.t, n, "c")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(w.nodes, n)
	w.cache = append(w.cache, c)
}

// pick returns the cache of a random node.
func (w *workload) pick(r *rand.Rand) *Cache[[]byte] {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.cache[r.IntN(len(w.cache))]
}

// remove takes a random node out of use and returns it.
func (w *workload) remove(r *rand.Rand) *Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := r.IntN(len(w.nodes))
	n := w.nodes[i]
	w.nodes = append(w.nodes[:i:i], w.nodes[i+1:]...)
	w.cache = append(w.cache[:i:i], w.cache[i+1:]...)
	return n
}

// key returns a hot key of the moment, a warm one that lives on while slots
// change hands, or one of many cold ones.
func (w *workload) key(r *rand.Rand) string {
	epoch := w.epoch.Load()
	switch p := r.IntN(100); {
	case p < 50:
		return fmt.Sprintf("hot%d/%d", r.IntN(6), epoch)
	case p < 80:
		return fmt.Sprintf("warm%d/%d", r.IntN(30), epoch/25)
	}
	return fmt.Sprintf("cold%d/%d", r.IntN(200), epoch/8)
}

// client makes calls until the context ends.
func (w *workload) client(ctx context.Context, id int) {
	r := rand.New(rand.NewPCG(w.seed, uint64(id)))
	for ctx.Err() == nil {
		key := w.key(r)
		c := w.pick(r)
		start := w.history.now()
		switch p := r.IntN(100); {
		case p < 70:
			v, err := c.Get(context.Background(), key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				w.failed("Get", err)
				continue
			}
			w.history.add(id, key, input{}, string(v), start, w.history.now())
		case p < 90:
			v := fmt.Sprint(w.values.Add(1))
			err := c.Set(context.Background(), key, []byte(v))
			w.wrote(id, key, v, start, err)
			w.failed("Set", err)
		default:
			err := c.Delete(context.Background(), key)
			w.wrote(id, key, "", start, err)
			w.failed("Delete", err)
		}
	}
}

// clearer clears the cache from time to time.
func (w *workload) clearer(ctx context.Context, id int) {
	r := rand.New(rand.NewPCG(w.seed, uint64(id)))
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		start := w.history.now()
		err := w.pick(r).Clear(context.Background())
		w.failed("Clear", err)
		end := w.history.now()
		if err != nil {
			end = never
		}
		w.history.clear(id, start, end)
	}
}

func (w *workload) wrote(id int, key, value string, start int64, err error) {
	end := w.history.now()
	if err != nil {
		end = never
	}
	w.history.add(id, key, input{write: true, value: value}, "", start, end)
}

// failed reports a call that should not have failed. A node that has left
// refuses.
func (w *workload) failed(what string, err error) {
	if err != nil && !errors.Is(err, ErrClosed) && !w.quiet {
		w.t.Errorf("%s: %v", what, err)
	}
}

// churn lets nodes join and leave in order, between least and most.
func (w *workload) churn(ctx context.Context, least, most int) {
	r := rand.New(rand.NewPCG(w.seed, 1<<32))
	for i := 0; ctx.Err() == nil; i++ {
		w.mu.RLock()
		nodes := append([]*Node(nil), w.nodes...)
		w.mu.RUnlock()
		if len(nodes) < most && (len(nodes) <= least || r.IntN(2) == 0) {
			n := startNode(w.t, fmt.Sprintf("late%d-%x", i, w.seed&0xffff), nodes, w.change)
			waitActive(w.t, n)
			w.add(n)
			continue
		}
		n := w.remove(r)
		w.failed("Leave", n.Leave(context.Background()))
	}
}

// run runs the workload and returns the keys whose history is wrong.
func (w *workload) run(clients int, lasts time.Duration, least, most int) []string {
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { w.client(ctx, i) })
	}
	wg.Go(func() { w.clearer(ctx, clients) })
	wg.Go(func() { w.churn(ctx, least, most) })
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.epoch.Add(1)
			}
		}
	})
	wg.Wait()
	return w.history.wrong(w.t)
}

func newWorkload(t testing.TB, nodes []*Node, change func(*Config)) *workload {
	seed := *coherenceSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	w := &workload{t: t, seed: seed, change: change, history: newHistory()}
	for _, n := range nodes {
		w.add(n)
	}
	return w
}

// shortLeases makes leases so short that new owners soon stop to revoke at
// everybody, and so long that they outlive a change of owner.
func shortLeases(c *Config) { c.NearTTL = 400 * time.Millisecond }

// P1: while nodes join and leave in order, no read finds anything but the
// newest value or nothing.
func TestCoherence(t *testing.T) {
	for _, tt := range []struct{ nodes, backups int }{{3, 0}, {3, 1}, {7, 1}} {
		nodes := tt.nodes
		t.Run(fmt.Sprint(nodes, "/", tt.backups), func(t *testing.T) {
			change := func(c *Config) {
				shortLeases(c)
				backups(tt.backups)(c)
			}
			w := newWorkload(t, startNodes(t, nodes, change), change)
			wrong := w.run(16, *coherenceFor, nodes-1, nodes+1)
			for _, key := range wrong {
				t.Errorf("%s: a stale read:\n%s", key, w.history.tail(key, 40))
			}
			t.Logf("%d calls on %d keys", w.history.calls(), len(w.history.byKey))
		})
	}
}

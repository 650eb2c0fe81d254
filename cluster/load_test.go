package cluster

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// openLoading opens a cache with a loader on every node.
func openLoading(t testing.TB, nodes []*Node, o Options[string]) []*Cache[string] {
	t.Helper()
	var list []*Cache[string]
	for _, n := range nodes {
		c, err := NewCache(n, "loaded", o)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// gate lets a loader run only once it is opened, and tells when one has begun.
type gate struct {
	begun chan struct{}
	open  chan struct{}
	runs  atomic.Int64
}

func newGate() *gate { return &gate{begun: make(chan struct{}, 1000), open: make(chan struct{})} }

func (g *gate) pass(ctx context.Context) error {
	g.runs.Add(1)
	g.begun <- struct{}{}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// However many callers on however many nodes ask for a key that nobody has, it
// is loaded once.
func TestLoadOncePerCluster(t *testing.T) {
	nodes := startNodes(t, 7, nil)
	g := newGate()
	caches := openLoading(t, nodes, Options[string]{Load: func(ctx context.Context, key string) (string, error) {
		return "value of " + key, g.pass(ctx)
	}})
	const callers = 100
	var asked, wg sync.WaitGroup
	errs := make(chan error, len(caches)*callers)
	for _, c := range caches {
		for range callers {
			asked.Add(1)
			wg.Go(func() {
				asked.Done()
				v, err := c.Get(context.Background(), "cold")
				if err == nil && v != "value of cold" {
					err = fmt.Errorf("got %q", v)
				}
				errs <- err
			})
		}
	}
	asked.Wait()
	<-g.begun
	close(g.open)
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if n := g.runs.Load(); n != 1 {
		t.Errorf("the loader ran %d times", n)
	}
}

func TestLoadFailures(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	broken := errors.New("the database is down")
	var runs atomic.Int64
	caches := openLoading(t, nodes, Options[string]{Load: func(_ context.Context, key string) (string, error) {
		runs.Add(1)
		switch {
		case strings.HasPrefix(key, "panic"):
			panic("boom")
		case strings.HasPrefix(key, "none"):
			return "", ErrNotFound
		}
		return "", broken
	}})
	for _, c := range []struct {
		key  string
		want string
	}{
		{"panic", "panicked: boom"},
		{"none", "not found"},
		{"broken", "the database is down"},
	} {
		for i := range 12 { // some keys are here, some elsewhere
			key := fmt.Sprint(c.key, i)
			var wg sync.WaitGroup
			for _, cache := range caches {
				for range 4 {
					wg.Go(func() {
						_, err := cache.Get(context.Background(), key)
						if err == nil || !strings.Contains(err.Error(), c.want) {
							t.Errorf("%s: error %v, not %q", key, err, c.want)
						}
						if c.key == "none" && !errors.Is(err, ErrNotFound) {
							t.Errorf("%s: %v is not ErrNotFound", key, err)
						}
					})
				}
			}
			wg.Wait()
		}
	}
	before := runs.Load()
	if _, err := caches[0].Get(context.Background(), "none0"); !errors.Is(err, ErrNotFound) || runs.Load() != before+1 {
		t.Errorf("without NegativeTTL nothing is remembered: %v, %d runs", err, runs.Load()-before)
	}
}

func TestNegativeTTL(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	var runs atomic.Int64
	caches := openLoading(t, nodes, Options[string]{
		NegativeTTL: time.Minute,
		Load: func(context.Context, string) (string, error) {
			runs.Add(1)
			return "", ErrNotFound
		},
	})
	for _, c := range caches {
		for range 5 {
			if _, err := c.Get(context.Background(), "k"); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		}
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("the loader ran %d times", n)
	}
	if err := caches[1].Set(context.Background(), "k", "now there"); err != nil {
		t.Fatal(err)
	}
	for _, c := range caches {
		if v, err := c.Get(context.Background(), "k"); v != "now there" {
			t.Errorf("after Set: %q, %v", v, err)
		}
	}
}

// A caller that gives up does not end the load for the others.
func TestLoadOutlivesItsFirstCaller(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	g := newGate()
	caches := openLoading(t, nodes, Options[string]{Load: func(ctx context.Context, _ string) (string, error) {
		return "v", g.pass(ctx)
	}})
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error)
	go func() {
		_, err := caches[0].Get(ctx, "k")
		first <- err
	}()
	<-g.begun
	var wg sync.WaitGroup
	for _, c := range caches {
		wg.Go(func() {
			if v, err := c.Get(context.Background(), "k"); v != "v" {
				t.Errorf("%q, %v", v, err)
			}
		})
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("the caller that gave up got %v", err)
	}
	close(g.open)
	wg.Wait()
	if n := g.runs.Load(); n != 1 {
		t.Errorf("the loader ran %d times", n)
	}
}

// What a loader found before a Delete or a Clear is not kept after it.
func TestLoadDoesNotOutliveADelete(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 3, nil)
	for _, end := range []string{"delete", "clear"} {
		for i := range 6 {
			g := newGate()
			var source atomic.Value
			source.Store("old")
			caches := openLoading(t, nodes, Options[string]{Load: func(ctx context.Context, _ string) (string, error) {
				v := source.Load().(string)
				return v, g.pass(ctx)
			}})
			key := fmt.Sprint(end, i)
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = caches[0].Get(ctx, key) // "old" is right for a call that began before
			}()
			<-g.begun
			source.Store("new")
			var err error
			if end == "delete" {
				err = caches[1].Delete(ctx, key)
			} else {
				err = caches[1].Clear(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			close(g.open)
			<-done
			for _, c := range caches {
				if v, err := c.Get(ctx, key); v != "new" {
					t.Errorf("%s: after the %s a node has %q, %v", key, end, v, err)
				}
			}
		}
	}
}

// Where the owner has no loader for the cache, the asking node loads for itself.
func TestLoadAlone(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	var runs atomic.Int64
	here := openLoading(t, nodes[:1], Options[string]{Load: func(context.Context, string) (string, error) {
		runs.Add(1)
		return "v", nil
	}})[0]
	key := elsewhere(nodes[0], "loaded")
	for range 2 {
		if v, from, err := here.Lookup(context.Background(), key); v != "v" || from.String() != "loaded" {
			t.Errorf("%q from %v, %v", v, from, err)
		}
	}
	if n := runs.Load(); n != 2 {
		t.Errorf("the loader ran %d times: a value that was loaded alone is not stored", n)
	}
}

// A read that begins after a Delete was acknowledged does not share what a
// loader found that had begun before, not even where the owner has no loader.
func TestLoadAloneIsNotShared(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 2, nil)
	var source atomic.Value
	source.Store("old")
	g := newGate()
	c := openLoading(t, nodes[:1], Options[string]{Load: func(ctx context.Context, _ string) (string, error) {
		v := source.Load().(string)
		return v, g.pass(ctx)
	}})[0]
	key := elsewhere(nodes[0], "loaded")
	first := make(chan struct{})
	go func() {
		defer close(first)
		_, _ = c.Get(ctx, key) // "old" is right
	}()
	<-g.begun
	source.Store("new")
	if err := c.Delete(ctx, key); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	for range 10 {
		go func() {
			v, err := c.Get(ctx, key)
			got <- fmt.Sprint(v, err)
		}()
	}
	eventually(t, "the others have asked the owner, and wait", func() bool {
		stacks := make([]byte, 4<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*flights).do(") >= 11
	})
	close(g.open)
	for range 10 {
		if v := <-got; v != "new<nil>" {
			t.Errorf("a read after the acknowledged Delete got %s", v)
		}
	}
	<-first
	if n := g.runs.Load(); n > 3 {
		t.Errorf("the loader ran %d times", n)
	}
}

// A Load may end its goroutine, as a test's Fatal does. That is an error for those who
// wait, and the key can be loaded again.
func TestLoadThatDoesNotReturn(t *testing.T) {
	n := startNode(t, "n1", nil, nil)
	waitActive(t, n)
	var runs atomic.Int64
	c := openLoading(t, []*Node{n}, Options[string]{Load: func(context.Context, string) (string, error) {
		if runs.Add(1)%2 == 1 {
			runtime.Goexit()
		}
		return "v", nil
	}})[0]
	for how, get := range map[string]func(key string) error{
		"at the owner": func(key string) error { _, err := c.Get(context.Background(), key); return err },
		"alone": func(key string) error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_, err := n.loadAlone(ctx, c.space, key)
			return err
		},
	} {
		for i := range 4 {
			err := get(how)
			if lost := i%2 == 0; errors.Is(err, errNoReturn) != lost || (err == nil) == lost {
				t.Errorf("%s, run %d: %v", how, i+1, err)
			}
			if err := c.Delete(context.Background(), how); err != nil {
				t.Fatal(err)
			}
		}
	}
}

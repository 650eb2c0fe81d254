package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// count is small with -short.
func count(n int) int {
	if testing.Short() {
		return n / 20
	}
	return n
}

// fillCache writes n entries through a cache and returns their keys.
func fillCache(t testing.TB, c *Cache[[]byte], n int) []string {
	t.Helper()
	keys := make([]string, n)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				keys[i] = fmt.Sprint("entry", i)
				if err := c.Set(context.Background(), keys[i], []byte(keys[i])); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return keys
}

// checkAll reads all keys back.
func checkAll(t testing.TB, c *Cache[[]byte], keys []string) {
	t.Helper()
	got, err := c.GetMany(context.Background(), keys)
	if err != nil {
		t.Errorf("reading all: %v", err)
	}
	lost := 0
	for _, k := range keys {
		if string(got[k]) != k {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d entries are lost", lost, len(keys))
	}
}

// Nodes join and leave, two leave at once, while calls go on: nothing is lost
// and nothing fails.
func TestJoinAndLeaveLoseNothing(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	caches := openAll(t, nodes, "c")
	keys := fillCache(t, caches[0], count(50000))

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	var calls atomic.Int64
	for w := range 8 {
		wg.Go(func() {
			c := caches[w%2] // these two stay
			for i := w; ctx.Err() == nil; i += 7 {
				k := keys[i%len(keys)]
				if v, err := c.Get(context.Background(), k); err != nil || string(v) != k {
					t.Errorf("Get of %s while nodes come and go: %q, %v", k, v, err)
					return
				}
				mine := fmt.Sprintf("own%d/%d", w, i%50)
				if err := c.Set(context.Background(), mine, []byte(mine)); err != nil {
					t.Errorf("Set while nodes come and go: %v", err)
					return
				}
				if v, err := c.Get(context.Background(), mine); err != nil || string(v) != mine {
					t.Errorf("Get after Set while nodes come and go: %q, %v", v, err)
					return
				}
				calls.Add(1)
			}
		})
	}
	late := []*Node{startNode(t, "n4", nodes, nil), startNode(t, "n5", nodes, nil)}
	waitActive(t, late...)
	all := append(append([]*Node(nil), nodes...), late...)
	waitAgreed(t, all...)
	for _, n := range late {
		if n.Stats().SlotsActive == 0 {
			t.Errorf("%s serves nothing", n.Name())
		}
	}
	if err := nodes[2].Leave(context.Background()); err != nil {
		t.Error(err)
	}
	var leaving sync.WaitGroup
	for _, n := range late {
		leaving.Go(func() {
			if err := n.Leave(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	leaving.Wait()
	waitAgreed(t, nodes[:2]...)
	stop()
	wg.Wait()
	checkAll(t, caches[0], keys)
	checkAll(t, caches[1], keys)
	t.Logf("%d entries, %d calls meanwhile", len(keys), calls.Load())
}

// Two nodes that start alone and meet later lose nothing, and what was deleted
// on one does not come back from it.
func TestSoloStartsMeet(t *testing.T) {
	ctx := context.Background()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	a := startNode(t, "a", nil, func(c *Config) { c.Join = []string{addr}; c.JoinWait = 10 * time.Millisecond })
	waitActive(t, a)
	ca := openBytes(t, a, "c")
	b := startNode(t, "b", nil, func(c *Config) { c.Bind = addr })
	waitActive(t, b)
	cb := openBytes(t, b, "c")
	for i := range 200 {
		for name, c := range map[string]*Cache[[]byte]{"a": ca, "b": cb} {
			key := fmt.Sprint(name, i)
			if err := c.Set(ctx, key, []byte(key)); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				if err := c.Delete(ctx, key); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	waitAgreed(t, a, b)
	for i := range 200 {
		for _, name := range []string{"a", "b"} {
			key := fmt.Sprint(name, i)
			for who, c := range map[string]*Cache[[]byte]{"a": ca, "b": cb} {
				v, err := c.Get(ctx, key)
				switch {
				case i%2 == 0 && !errors.Is(err, ErrNotFound):
					t.Fatalf("%s: deleted %s is back: %q, %v", who, key, v, err)
				case i%2 == 1 && string(v) != key:
					t.Fatalf("%s: %s is lost: %q, %v", who, key, v, err)
				}
			}
		}
	}
}

// All nodes of a cluster that start at the same moment with the same list
// become one.
func TestStartTogether(t *testing.T) {
	var binds []string
	for range 5 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		binds = append(binds, ln.Addr().String())
		_ = ln.Close()
	}
	nodes := make([]*Node, len(binds))
	for i, bind := range binds {
		nodes[i] = startNode(t, fmt.Sprint("n", i), nil, func(c *Config) {
			c.Bind, c.Join, c.JoinWait = bind, binds, DefaultJoinWait
		})
	}
	waitActive(t, nodes...)
	waitAgreed(t, nodes...)
}

// Every node is restarted in turn under its name, and nothing is lost.
func TestRollingRestart(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	keys := fillCache(t, openBytes(t, nodes[0], "c"), count(5000))
	for i := range nodes {
		name := nodes[i].Name()
		if err := nodes[i].Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		var others []*Node
		for j, n := range nodes {
			if j != i {
				others = append(others, n)
			}
		}
		nodes[i] = startNode(t, name, others, nil)
		waitActive(t, nodes[i])
		waitAgreed(t, nodes...)
		checkAll(t, openBytes(t, nodes[i], "c"), keys)
	}
}

func TestNameOfALivingNodeIsRefused(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	twin := startNode(t, nodes[0].Name(), nodes, nil)
	eventually(t, "the twin says why it does not join", func() bool { return errors.Is(twin.Ready(), ErrName) })
	if err := twin.Ready(); !strings.Contains(err.Error(), nodes[0].PeerAddr()) {
		t.Errorf("the error does not say where the other is: %v", err)
	}
	waitAgreed(t, nodes...)
	if err := nodes[0].Leave(context.Background()); err != nil {
		t.Fatal(err)
	}
	waitActive(t, twin)
	waitAgreed(t, twin, nodes[1])
}

func TestLeaveAlone(t *testing.T) {
	n := startNode(t, "solo", nil, nil)
	waitActive(t, n)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := n.Leave(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestAllLeaveTogether(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	fillCache(t, openBytes(t, nodes[0], "c"), 100)
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if err := n.Leave(context.Background()); err != nil {
				t.Errorf("%s: %v", n.Name(), err)
			}
		})
	}
	wg.Wait()
}

func TestEvents(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	eventually(t, "what the second node took is handed over", func() bool { return nodes[0].handing.Load() == 0 })
	ch, end := nodes[0].Events()
	defer end()
	next := func() Event {
		select {
		case e := <-ch:
			return e
		case <-time.After(30 * time.Second):
			t.Fatal("no event")
			return Event{}
		}
	}
	n := startNode(t, "late", nodes, nil)
	waitActive(t, n)
	if e := next(); e.Kind != MemberJoined || e.Name != "late" || e.Peer != n.PeerAddr() {
		t.Errorf("%+v", e)
	}
	if e := next(); e.Kind != HandedOver || e.Slots == 0 || e.Slots >= n.Ring()["late"] {
		t.Errorf("%+v; the ring is %v", e, n.Ring())
	}
	if err := n.Leave(context.Background()); err != nil {
		t.Fatal(err)
	}
	if e := next(); e.Kind != MemberLeft || e.Name != "late" {
		t.Errorf("%+v", e)
	}
	if err := nodes[1].Close(); err != nil { // as a crash looks to the others
		t.Fatal(err)
	}
	if e := next(); e.Kind != MemberFailed || e.Name != nodes[1].Name() {
		t.Errorf("%+v", e)
	}
	dead := 0
	for _, m := range nodes[0].Members() {
		if m.State == "dead" {
			dead++
		}
	}
	if dead != 2 {
		t.Errorf("%d members are listed as dead: %+v", dead, nodes[0].Members())
	}
}

// A node that leaves at the moment when it would turn active takes nothing with
// it: either it does not turn active, or it hands over.
func TestLeaveWhileTurningActive(t *testing.T) {
	a := startNode(t, "a", nil, nil)
	waitActive(t, a)
	c := openBytes(t, a, "c")
	keys := fillCache(t, c, 500)
	for i := range 20 {
		b := startNode(t, fmt.Sprint("b", i), []*Node{a}, nil)
		if i%2 == 0 {
			eventually(t, "b is about to turn active", func() bool { return b.members.link(a.id) != nil })
		}
		if err := b.Leave(context.Background()); err != nil {
			t.Error(err)
		}
	}
	waitAgreed(t, a)
	checkAll(t, c, keys)
	b := startNode(t, "late", []*Node{a}, nil)
	if b.members.quitJoining() {
		b.members.advance(active)
		if s := b.members.me().State; s != left {
			t.Errorf("a node that has quit joining is in state %d", s)
		}
	}
}

package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLogger shows a node's log when PEERCACHE_TEST_LOG is set.
func testLogger(name string) *slog.Logger {
	if os.Getenv("PEERCACHE_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
}

// slowest is what a call may take before a test fails. It says nothing of how
// long calls take: it is for slow machines with the race detector.
const slowest = 20 * time.Second

// startNode starts a node that joins others, and closes it when the test ends.
func startNode(t testing.TB, name string, join []*Node, change func(*Config)) *Node {
	t.Helper()
	cfg := Config{Name: name, Logger: testLogger(name), RequestTimeout: slowest, JoinWait: 200 * time.Millisecond}
	for _, n := range join {
		cfg.Join = append(cfg.Join, n.GossipAddr())
	}
	if change != nil {
		change(&cfg)
	}
	n, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("closing %s: %v", name, err)
		}
	})
	return n
}

func waitActive(t testing.TB, nodes ...*Node) {
	t.Helper()
	for _, n := range nodes {
		select {
		case <-n.Active():
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not active: %v; members %+v; stats %+v", n.Name(), n.Ready(), n.Members(), n.Stats())
		}
	}
}

// startNodes starts a cluster and waits until all its nodes agree.
func startNodes(t testing.TB, count int, change func(*Config)) []*Node {
	t.Helper()
	var nodes []*Node
	for i := range count {
		n := startNode(t, fmt.Sprintf("n%d", i+1), nodes, change)
		waitActive(t, n)
		nodes = append(nodes, n)
	}
	waitAgreed(t, nodes...)
	return nodes
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	giveUp := time.After(30 * time.Second)
	for !f() {
		select {
		case <-look.C:
		case <-giveUp:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// waitAgreed waits until the nodes have one table, and all slots are served.
func waitAgreed(t testing.TB, nodes ...*Node) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d nodes agree", len(nodes)), func() bool {
		active := 0
		for _, n := range nodes {
			v := n.members.view.Load()
			if v.table.Digest != nodes[0].members.view.Load().table.Digest || len(v.table.Active) != len(nodes) {
				return false
			}
			active += int(n.activeSlots.Load())
		}
		return active == slotCount
	})
}

func openBytes(t testing.TB, n *Node, name string) *Cache[[]byte] {
	t.Helper()
	c, err := NewCache(n, name, Options[[]byte]{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openAll(t testing.TB, nodes []*Node, name string) []*Cache[[]byte] {
	t.Helper()
	var list []*Cache[[]byte]
	for _, n := range nodes {
		list = append(list, openBytes(t, n, name))
	}
	return list
}

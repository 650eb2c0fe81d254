package cluster

import (
	"context"
	"fmt"
	"testing"

	"github.com/peercache/peercache/internal/protocol"
)

// falseAlarm lets a take b for dead while b lives, write to b's slots, and find
// out that b lives; b never takes a for dead. Both must then have what a wrote.
func falseAlarm(t *testing.T, a, b *Node, round string, meanwhile func()) {
	t.Helper()
	ctx := context.Background()
	caches := openAll(t, []*Node{a, b}, "c")
	a.members.depart(b.id, false)
	eventually(t, "a serves all", func() bool { return a.activeSlots.Load() == slotCount })
	for i := range 200 {
		if err := caches[0].Set(ctx, fmt.Sprint("k", i), []byte(round)); err != nil {
			t.Fatal(err)
		}
	}
	if meanwhile != nil {
		meanwhile()
	}
	a.members.learn(fromGossip, b.members.me())
	waitAgreed(t, a, b)
	wrong := 0
	for i := range 200 {
		for _, c := range caches {
			if v, err := c.Get(ctx, fmt.Sprint("k", i)); err != nil || string(v) != round {
				if wrong++; wrong <= 3 {
					t.Logf("k%d reads %q, error %v", i, v, err)
				}
			}
		}
	}
	if wrong > 0 {
		t.Errorf("after the %s alarm %d of 400 reads are stale or find nothing", round, wrong)
	}
	eventually(t, "a has freed what b serves", func() bool { return a.leftover() == 0 })
}

// A member that was taken for dead, and is not, is a stranger each time.
func TestFalseAlarms(t *testing.T) {
	nodes := startNodes(t, 2, func(c *Config) { c.NearTTL = -1 })
	for _, round := range []string{"first", "second", "third"} {
		falseAlarm(t, nodes[0], nodes[1], round, nil)
	}
}

// However long it was away.
func TestLongFalseAlarm(t *testing.T) {
	nodes := startNodes(t, 2, func(c *Config) { c.NearTTL = -1 })
	falseAlarm(t, nodes[0], nodes[1], "first", func() {
		r := nodes[0].members
		r.mu.Lock()
		g := r.gone[nodes[1].id]
		g.at -= 10 * remembered
		r.gone[nodes[1].id] = g
		r.nextTick = 0
		r.mu.Unlock()
		r.tick()
	})
}

func TestGoneAreBounded(t *testing.T) {
	n := &Node{clock: newClock(1)}
	r := newRoster(n, record{ID: 1, Name: "n"})
	for i := range 3 * maxGone {
		r.remember(departed{record: record{ID: protocol.Member(i + 2), State: active}, inOrder: i%3 == 0})
	}
	failed := 0
	for _, g := range r.gone {
		if !g.inOrder {
			failed++
		}
	}
	if len(r.gone) != maxGone || failed != maxGone {
		t.Errorf("%d are remembered, %d of them that were taken for dead", len(r.gone), failed)
	}
}

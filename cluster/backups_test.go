package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// waitBackedUp waits until Stats says that every slot has all its backups.
func waitBackedUp(t testing.TB, backups int, nodes ...*Node) {
	t.Helper()
	eventually(t, "every slot is backed up", func() bool {
		sum := 0
		for _, n := range nodes {
			s := n.Stats()
			if s.Backups != backups || s.SlotsBackedUp > s.SlotsOwned {
				return false
			}
			sum += s.SlotsBackedUp
		}
		return sum == slotCount
	})
}

// P2: when Set has returned nil, any B nodes may be killed at once, and others
// again as soon as Stats shows every slot backed up.
func TestKilledNodesLoseNothing(t *testing.T) {
	for _, b := range []int{1, 2} {
		t.Run(fmt.Sprint(b, " backups"), func(t *testing.T) {
			nodes := startNodes(t, 2*b+2, backups(b))
			var keys []string
			for round := range 2 {
				waitBackedUp(t, b, nodes...)
				keys = fillCache(t, openBytes(t, nodes[round%len(nodes)], "c"), count(20000))
				var closing sync.WaitGroup
				for _, n := range nodes[:b] {
					closing.Go(func() {
						if err := n.Close(); err != nil {
							t.Error(err)
						}
					})
				}
				closing.Wait()
				nodes = nodes[b:]
				waitAgreed(t, nodes...)
				for _, n := range nodes {
					checkAll(t, openBytes(t, n, "c"), keys)
				}
			}
		})
	}
}

// A key's copies are where Where says, and nowhere else.
func TestWhereCopiesAre(t *testing.T) {
	nodes := startNodes(t, 4, backups(2))
	waitBackedUp(t, 2, nodes...)
	keys := fillCache(t, openBytes(t, nodes[0], "c"), 100)
	owned, backing := 0, 0
	for _, n := range nodes {
		s := n.Stats()
		owned += s.SlotsOwned
		backing += s.SlotsBacking
		eventually(t, n.Name()+" holds what it owns or backs up, and nothing else", func() bool {
			s := n.Stats()
			return s.SlotsHeld == s.SlotsOwned+s.SlotsBacking
		})
	}
	if owned != slotCount || backing != 2*slotCount {
		t.Errorf("%d slots are owned and %d copies kept, of %d", owned, backing, slotCount)
	}
	for _, key := range keys {
		for _, n := range nodes {
			w := n.Where("c", key)
			want := ""
			switch {
			case w.Owner == n.Name():
				want = "owned"
			case slices.Contains(w.Backups, n.Name()):
				want = "backup"
			}
			got := ""
			if w.Held != nil {
				got = w.Held.Kind
			}
			if len(w.Backups) != 2 || got != want {
				t.Fatalf("%s has of %s %q, want %q: %+v", n.Name(), key, got, want, w)
			}
		}
	}
}

// Members that want different numbers of backups agree on the highest, also when
// the one who wants it comes last.
func TestBackupsOfMembersDiffer(t *testing.T) {
	nodes := startNodes(t, 2, backups(0))
	waitBackedUp(t, 0, nodes...)
	keys := fillCache(t, openBytes(t, nodes[0], "c"), count(2000))
	nodes = append(nodes, startNode(t, "n3", nodes, backups(1)))
	waitActive(t, nodes...)
	waitAgreed(t, nodes...)
	waitBackedUp(t, 1, nodes...)
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	waitAgreed(t, nodes[1:]...)
	checkAll(t, openBytes(t, nodes[2], "c"), keys)
	if err := nodes[2].Leave(context.Background()); err != nil {
		t.Fatal(err)
	}
	waitAgreed(t, nodes[1])
	checkAll(t, openBytes(t, nodes[1], "c"), keys)
}

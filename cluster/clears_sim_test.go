package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// P3 where one side of a split has cleared more often than the other: it is known
// by its higher generation, which says nothing about what came later. Of a key that
// both sides have written since, the older value is not alive once they have met,
// and none where the later side has deleted it.
func TestSimSplitClears(t *testing.T) {
	eachSeed(t, 2, func(t *testing.T, seed uint64) {
		for _, b := range []int{0, 1} {
			simulate(t, seed, sim.LAN(), func(s *simulation) {
				s.near = -1
				s.change = backups(b)
				nodes := s.cluster(6)
				s.settled()
				ctx := context.Background()
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Error(err)
					}
					time.Sleep(2 * time.Millisecond) // so that clocks agree on the order
				}
				const keys = 20
				for i := range keys {
					for _, what := range []string{"deleted", "older", "newer", "cleared"} {
						must(nodes[0].c.Set(ctx, fmt.Sprint(what, i), []byte("before")))
					}
				}
				var hosts [2][]string
				for i, n := range nodes {
					hosts[i/3] = append(hosts[i/3], n.host.Name())
				}
				s.net.Split(hosts[0], hosts[1], sim.BlackHole)
				waitAgreed(t, onlyNodes(nodes[:3])...)
				waitAgreed(t, onlyNodes(nodes[3:])...)
				clears, other := nodes[seed%2*3+1].c, nodes[(1-seed%2)*3].c
				must(clears.Clear(ctx))
				for i := range keys {
					must(clears.Set(ctx, fmt.Sprint("deleted", i), []byte("of the side that clears")))
					must(other.Delete(ctx, fmt.Sprint("deleted", i)))
					must(clears.Set(ctx, fmt.Sprint("older", i), []byte("of the side that clears")))
					must(other.Set(ctx, fmt.Sprint("older", i), []byte("of the other")))
					must(other.Set(ctx, fmt.Sprint("newer", i), []byte("of the other")))
					must(clears.Set(ctx, fmt.Sprint("newer", i), []byte("of the side that clears")))
				}
				s.net.Heal()
				s.agreed()
				for _, n := range nodes {
					for i := range keys {
						for what, may := range map[string]string{"deleted": "", "older": "of the other", "newer": "of the side that clears", "cleared": ""} {
							v, err := n.c.Get(ctx, fmt.Sprint(what, i))
							if err == nil && string(v) != may || err != nil && !errors.Is(err, ErrNotFound) {
								t.Errorf("with %d backups, %s has %q of %s%d: %v", b, n.Name(), v, what, i, err)
							}
							if what == "newer" && err != nil {
								t.Errorf("with %d backups, %s has lost %s%d", b, n.Name(), what, i)
							}
						}
					}
				}
			})
		}
	})
}

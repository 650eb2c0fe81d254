//go:build faults

package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// Without one of these rules of the protocol, calls on real nodes give a stale
// read: TestCoherence could fail. (The other rules are for rarer interleavings,
// which the search of package protocol finds.)
func TestCoherenceNeedsRules(t *testing.T) {
	for _, rule := range []string{"revoke", "epoch", "revAll", "idle", "confirm"} {
		t.Run(rule, func(t *testing.T) {
			change := func(c *Config) {
				shortLeases(c)
				without(t, c, rule)
			}
			var nodes []*Node
			for i := range 3 {
				nodes = append(nodes, startNode(t, fmt.Sprint("n", i+1), nodes, change))
				waitActive(t, nodes[i])
			}
			const most = 8
			for round := range most {
				w := newWorkload(t, nodes, change)
				w.quiet = true
				wrong := w.run(16, 4*time.Second, 2, 4)
				nodes = w.nodes
				if len(wrong) > 0 {
					t.Logf("found in round %d: %d keys, for instance %s:\n%s", round+1, len(wrong), wrong[0], w.history.tail(wrong[0], 6))
					return
				}
			}
			t.Errorf("nothing wrong was seen in %d rounds", most)
		})
	}
}

func without(t *testing.T, c *Config, rule string) {
	c.adjust = func(sh *protocol.Shared) {
		if !sh.Without(rule) {
			t.Errorf("there is no rule %q", rule)
		}
	}
}

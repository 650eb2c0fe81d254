//go:build faults

package cluster

import (
	"testing"

	"github.com/peercache/peercache/internal/sim"
)

// Without one of these rules the simulation sees a stale read, a failed call or
// a loss: it could fail. (The other rules are for crashes and splits, or for what
// only the search finds.)
func TestSimNeedsRules(t *testing.T) {
	for _, rule := range []string{"revoke", "epoch", "revAll", "idle", "confirm", "takeAll"} {
		t.Run(rule, func(t *testing.T) {
			const most = 100
			for seed := range uint64(most) {
				s := simulate(t, seed+1, sim.LAN(), func(s *simulation) {
					s.wantsFaults = true
					sc := newScenario(s)
					change := s.change
					s.change = func(c *Config) {
						change(c)
						without(t, c, rule)
					}
					sc.run()
				})
				if s.faults.Load() > 0 {
					t.Logf("found with seed %d: %d faults", seed+1, s.faults.Load())
					return
				}
			}
			t.Errorf("nothing wrong was seen with %d seeds", most)
		})
	}
}

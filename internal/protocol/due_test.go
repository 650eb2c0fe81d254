package protocol

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Before a slot is due a tick changes nothing and sends nothing.
func TestNothingIsDueBefore(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	early, late := 0, 0
	for _, sc := range scenarios(rules{}) {
		r := newRunner(sc)
		for range 4 {
			w := r.begin()
			for range 60 {
				steps := slices.Clone(r.next(w))
				if len(steps) == 0 {
					break
				}
				w = r.apply(w, steps[rng.IntN(len(steps))])
				for x, n := range w.nodes {
					due := n.slot.Due()
					for _, at := range []time.Duration{now, now + time.Millisecond, now + time.Second, now + time.Hour} {
						if at >= due {
							late++
							continue
						}
						early++
						c := n.clone()
						var out Out
						c.slot.Tick(at, &out)
						var a, b encoder
						a.node(n)
						b.node(c)
						if len(out.Messages)+len(out.Answers)+len(out.Loads)+len(out.Fetches)+len(out.Again) > 0 || a.sum() != b.sum() {
							t.Fatalf("%s: node %d, due at %v, does something at %v: %+v", sc.name, x, due, at, out)
						}
					}
				}
			}
		}
	}
	if early == 0 || late == 0 {
		t.Fatalf("%d ticks before and %d after slots were due", early, late)
	}
}

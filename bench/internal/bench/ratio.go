package bench

import (
	"context"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/report"
	"github.com/peercache/peercache/bench/internal/trace"
)

// ratio counts hits with room for a tenth of the bytes of all entries. The first
// quarter of each trace fills the cache and is not counted. Nothing is timed, and
// most of it comes out the same each time, so it is done once.
func ratio(ctx context.Context, r *Run) error {
	draws := 1_000_000
	if r.Quick {
		draws = 300_000
	}
	shop, err := load.NewShop(load.Samples)
	if err != nil {
		return err
	}
	traces := []*trace.Trace{trace.Zipf(draws), trace.Scans(draws), trace.Drifting(draws), trace.Sessions(draws, shop)}
	if t, err := trace.Glimpse(ctx); err != nil {
		r.Note("the Glimpse trace is left out: %v", err)
	} else {
		traces = append(traces, t)
	}
	for _, t := range traces {
		room := t.Room()
		for _, c := range trace.Caches() {
			if err := ctx.Err(); err != nil {
				return err
			}
			got, err := hitRatio(t, room, c)
			if err != nil {
				r.Fail(c.Name, err)
				continue
			}
			r.Add(report.Row{Product: c.Name, Case: t.Name, Rounds: 1, Figures: map[string]float64{"hit_ratio": got}})
		}
	}
	return nil
}

func hitRatio(t *trace.Trace, room trace.Room, c trace.Cache) (float64, error) {
	ask, end, err := c.Open(t, room)
	if err != nil {
		return 0, err
	}
	defer end()
	hits, all := 0, 0
	for i, e := range t.Asks {
		hit := ask(e)
		if i < len(t.Asks)/4 || (t.Counted != nil && !t.Counted(e)) {
			continue
		}
		all++
		if hit {
			hits++
		}
	}
	return float64(hits) / float64(max(all, 1)), nil
}

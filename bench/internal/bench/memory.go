package bench

import (
	"context"
	"time"

	"github.com/peercache/peercache/bench/internal/footprint"
	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/report"
)

const memoryRole = "memory"

func newMemory() (map[string]proc.Handler, func()) { return footprint.New() }

// memory fills caches with entries of 400 bytes under keys of 64, one process
// after the other, and writes 10,000 of them a second. What is beyond keys and
// values is the heap that lives less these. It is done once: nothing but the
// collector's time depends on the machine.
func memory(ctx context.Context, r *Run) error {
	q := footprint.Question{Entries: 1_000_000}
	w := footprint.Writes{Rate: 10_000, For: 5 * time.Second}
	if r.Quick {
		q.Entries, w.For = 100_000, 2*time.Second
	}
	for _, q.Name = range footprint.Names() {
		if !r.wanted(q.Name) {
			continue
		}
		r.Log("%s", q.Name)
		row, err := r.footprint(ctx, q, w)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			r.Fail(q.Name, err)
			continue
		}
		r.Add(row)
	}
	return nil
}

func (r *Run) footprint(ctx context.Context, q footprint.Question, w footprint.Writes) (report.Row, error) {
	c, err := r.Group.Start(memoryRole, proc.Options{Name: q.Name})
	if err != nil {
		return report.Row{}, err
	}
	defer c.Stop()
	var f footprint.Filled
	if err := ask(ctx, c, footprint.DoFill, q, &f, 3*time.Minute); err != nil {
		return report.Row{}, err
	}
	var g footprint.Collected
	if err := ask(ctx, c, footprint.DoWrite, w, &g, w.For+time.Minute); err != nil {
		return report.Row{}, err
	}
	row := report.Row{Product: q.Name, Rounds: 1, Figures: map[string]float64{
		"entries": float64(f.Entries), "rss_mb": float64(f.RSS) / 1e6, "heap_mb": float64(f.Heap) / 1e6,
		"beyond_key_and_value_bytes": float64(f.Heap)/float64(max(f.Entries, 1)) - load.KeyLen - load.ValueLen,
		"gc_cycle_cpu_ms":            float64(g.Cycle) / float64(time.Millisecond),
		"writes_per_second":          g.Rate,
		"gc_percent_of_processors":   100 * g.Share(),
	}}
	if f.Charged > 0 {
		row.Figures["heap_percent_of_charged"] = 100 * float64(f.Heap) / float64(f.Charged)
		row.Figures["heap_percent_of_budget"] = 100 * float64(f.Heap) / float64(f.Budget)
	}
	return row, nil
}

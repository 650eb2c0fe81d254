package bench

import (
	"context"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/local"
	"github.com/peercache/peercache/bench/internal/proc"
)

const localRole = "local"

func newLocal() (map[string]proc.Handler, func()) { return local.New() }

// hits measures hits in the own process. Every product has a process and all
// processors to itself while it is measured, and all entries fit. A map with a
// lock is the base.
func hits(ctx context.Context, r *Run) error {
	entries := 100_000
	if r.Quick {
		entries = 20_000
	}
	var field []*entrant
	for _, name := range local.Names() {
		if !r.wanted(name) && name != local.Base {
			continue
		}
		c, err := r.Group.Start(localRole, proc.Options{Name: name})
		if err != nil {
			return err
		}
		if err := ask(ctx, c, local.DoOpen, local.Question{Name: name, Entries: entries}, nil, time.Minute); err != nil {
			r.Fail(name, err)
			c.Stop()
			continue
		}
		field = append(field, &entrant{name: name, run: func(ctx context.Context, t load.Task) (measured, error) {
			var m measured
			return m, ask(ctx, c, local.DoRun, t, &m.Outcome, t.For+time.Minute)
		}})
	}
	whole := r.Time
	r.Time /= 2
	defer func() { r.Time = whole }()
	callers := []int{1, 2, 8}
	if err := r.contest(ctx, field, callers); err != nil {
		return err
	}
	for _, row := range rows(field, find(field, local.Base, "", false), callers) {
		row.P50, row.P99, row.P999 = 0, 0, 0 // single gets are not timed
		row.CPU, row.TLS = 0, nil            // there is nothing to encrypt
		row.Figures = map[string]float64{"ns_per_get": 1e9 / row.Ops}
		r.Add(row)
	}
	return nil
}

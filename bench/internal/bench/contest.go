package bench

import (
	"context"
	"fmt"
	"slices"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/product"
	"github.com/peercache/peercache/bench/internal/report"
)

// entrant is a product in one setting, that takes turns with others.
type entrant struct {
	name string
	kase string
	tls  bool
	run  func(ctx context.Context, t load.Task) (measured, error)

	got  map[int][]measured // by callers, one a round
	gone bool               // it has failed
}

// contest lets entrants take turns: in each round every one is measured with
// each number of callers, and every other round goes backwards. One that fails
// is out.
func (r *Run) contest(ctx context.Context, field []*entrant, callers []int) error {
	for _, e := range field {
		e.got = make(map[int][]measured)
	}
	t := load.Task{For: r.Time, Warm: r.Warm}
	if t.Warm == 0 {
		t.Warm = r.Time / 5
	}
	for round := range r.Rounds {
		r.Log("round %d of %d", round+1, r.Rounds)
		turn := slices.Clone(field)
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, n := range callers {
			for _, e := range turn {
				if e.gone {
					continue
				}
				t.Callers = n
				m, err := e.run(ctx, t)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err != nil {
					e.gone = true
					r.Fail(e.label(), err)
					continue
				}
				e.got[n] = append(e.got[n], m)
			}
		}
	}
	return nil
}

func (e *entrant) label() string {
	s := e.name
	if e.tls {
		s += " with TLS"
	}
	if e.kase != "" {
		s += ", " + e.kase
	}
	return s
}

// rows makes one row of each entrant and number of callers. Base is what the
// ratios are to, or nil.
func rows(field []*entrant, base *entrant, callers []int) []report.Row {
	var list []report.Row
	for _, n := range callers {
		for _, e := range field {
			if e.gone || len(e.got[n]) == 0 {
				continue
			}
			list = append(list, e.row(n, base))
		}
	}
	return list
}

func (e *entrant) row(callers int, base *entrant) report.Row {
	var ops, ratio, p50, p99, p999, cpu, allocs, server []float64
	for i, m := range e.got[callers] {
		h, n := m.Hist.Histogram(), float64(m.Ops)
		ops = append(ops, m.PerSecond())
		p50 = append(p50, micros(h.At(0.5)))
		p99 = append(p99, micros(h.At(0.99)))
		p999 = append(p999, micros(h.At(0.999)))
		cpu = append(cpu, micros(m.CPU+m.ServerCPU)/n)
		allocs = append(allocs, float64(m.Allocs)/n)
		server = append(server, float64(m.ServerAllocs)/n)
		if base != nil && !base.gone && i < len(base.got[callers]) {
			ratio = append(ratio, m.PerSecond()/base.got[callers][i].PerSecond())
		}
	}
	row := report.Row{
		Product: e.name, Case: e.kase, TLS: &e.tls, Callers: callers, Rounds: len(ops),
		Ops: report.Median(ops), Ratio: report.Median(ratio), CPU: report.Median(cpu), Allocs: new(float64),
		P50: report.Median(p50), P99: report.Median(p99), P999: report.Median(p999),
	}
	*row.Allocs = report.Median(allocs)
	if s := report.Median(server); s > 0 {
		row.Figures = map[string]float64{"server_allocs_per_op": s}
	}
	return row
}

// enter deploys a product and prepares it for some work, as an entrant. It
// returns nil where the product is not wanted, not installed, or fails.
func (r *Run) enter(ctx context.Context, p *product.Product, l layout, kase string, w member.Work) *entrant {
	d := r.deployed(ctx, p, l)
	if d == nil {
		return nil
	}
	return r.entrant(ctx, d, kase, w)
}

// deployed deploys a product, or tells why it does not.
func (r *Run) deployed(ctx context.Context, p *product.Product, l layout) *deployment {
	if !r.wanted(p.Name) && p.Name != product.Floor && p.Name != product.FloorThrough {
		return nil
	}
	if m := p.Missing(); m != "" {
		r.Note("%s is left out: %s", p.Name, m)
		return nil
	}
	d, err := deploy(ctx, r.Group, p, l)
	if err != nil {
		r.Fail(p.ID(), fmt.Errorf("starting it: %w", err))
		return nil
	}
	return d
}

// entrant prepares what is deployed for some work.
func (r *Run) entrant(ctx context.Context, d *deployment, kase string, w member.Work) *entrant {
	if err := d.prepare(ctx, w); err != nil {
		d.stop()
		r.Fail(d.product.ID(), err)
		return nil
	}
	return &entrant{
		name: d.product.Name, kase: kase, tls: d.product.TLS,
		run: func(ctx context.Context, t load.Task) (measured, error) { return d.run(ctx, w.Name, t) },
	}
}

// present leaves out what is nil.
func present(list ...*entrant) []*entrant {
	return slices.DeleteFunc(list, func(e *entrant) bool { return e == nil })
}

// find returns the entrant of that name and case, or nil.
func find(field []*entrant, name, kase string, tls bool) *entrant {
	for _, e := range field {
		if e.name == name && e.kase == kase && e.tls == tls {
			return e
		}
	}
	return nil
}

// rival returns the product of a name.
func rival(name string, tls bool) *product.Product {
	for _, p := range product.All() {
		if p.Name == name && p.TLS == tls {
			return p
		}
	}
	panic("bench: there is no product " + name)
}

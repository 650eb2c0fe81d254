package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/report"
)

// entrant is a product that runs: its two processes, and its outcomes by number
// of callers and round.
type entrant struct {
	product
	client   *proc.Child
	outcomes map[int][]outcome
}

func measure(ctx context.Context, o options) error {
	var group proc.Group
	defer group.Stop()
	var field []*entrant
	for _, p := range products() {
		if o.only != "" && p.name != base && !strings.Contains(p.name, o.only) {
			continue
		}
		e, err := enter(ctx, &group, p, o.pin)
		if err != nil {
			return err
		}
		field = append(field, e)
	}
	before := report.Load()
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		for _, callers := range o.callers {
			turn := slices.Clone(field)
			if round%2 == 1 {
				slices.Reverse(turn)
			}
			for _, e := range turn {
				var got outcome
				if err := ask(ctx, e.client, "run", task{Callers: callers, For: o.round}, &got, 2*o.round+10*time.Second); err != nil {
					return err
				}
				e.outcomes[callers] = append(e.outcomes[callers], got)
			}
		}
	}
	rows := results(field, o)
	fmt.Printf("Remote get, %d-byte keys, %d-byte values, %d rounds of %v, %s.\n", keyLen, valueLen, o.rounds, o.round, pinned(o.pin))
	fmt.Printf("%s; load average before %s, after %s.\n\n", report.Machine(), before, report.Load())
	if err := table(rows).Write(os.Stdout); err != nil {
		return err
	}
	return report.WriteFile(o.json, rows)
}

func pinned(pin bool) string {
	if pin {
		return "client and server bound to one processor each"
	}
	return "client and server on all processors"
}

// enter starts a product's server and client.
func enter(ctx context.Context, group *proc.Group, p product, pin bool) (*entrant, error) {
	server := proc.Options{Name: "server of " + p.id()}
	client := proc.Options{Name: "client of " + p.id()}
	if pin {
		client.CPU, server.CPU = new(int), new(int)
		*server.CPU = 1
	}
	s, err := group.Start("serve "+p.id(), server)
	if err != nil {
		return nil, err
	}
	var where json.RawMessage
	if err := ask(ctx, s, "open", struct{}{}, &where, time.Minute); err != nil {
		return nil, err
	}
	c, err := group.Start("get "+p.id(), client)
	if err != nil {
		return nil, err
	}
	if err := ask(ctx, c, "open", where, nil, time.Minute); err != nil {
		return nil, err
	}
	return &entrant{product: p, client: c, outcomes: make(map[int][]outcome)}, nil
}

func ask(ctx context.Context, c *proc.Child, do string, with, result any, atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	return c.Ask(ctx, do, with, result)
}

// results makes one row of each product and number of callers.
func results(field []*entrant, o options) []report.Row {
	var rows []report.Row
	against := make(map[int][]outcome)
	for _, e := range field {
		if e.name == base {
			against = e.outcomes
		}
	}
	for _, callers := range o.callers {
		for _, e := range field {
			var ops, ratio, p50, p99 []float64
			for i, got := range e.outcomes[callers] {
				h := got.Hist.Histogram()
				ops = append(ops, got.perSecond())
				ratio = append(ratio, got.perSecond()/against[callers][i].perSecond())
				p50 = append(p50, micros(h.At(0.5)))
				p99 = append(p99, micros(h.At(0.99)))
			}
			rows = append(rows, report.Row{
				Bench: "remoteget", Product: e.name, Callers: callers, TLS: e.tls, Ops: report.Median(ops),
				Ratio: report.Median(ratio), P50: report.Median(p50), P99: report.Median(p99), Rounds: len(ops),
			})
		}
	}
	return rows
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func table(rows []report.Row) *report.Table {
	t := &report.Table{Head: []string{"product", "TLS", "callers", "ops/s", "ratio", "p50 µs", "p99 µs"}}
	for _, r := range rows {
		tls := "no"
		if r.TLS {
			tls = "1.3"
		}
		t.Add(r.Product, tls, r.Callers, fmt.Sprintf("%.0f", r.Ops), fmt.Sprintf("%.2f", r.Ratio),
			fmt.Sprintf("%.0f", r.P50), fmt.Sprintf("%.0f", r.P99))
	}
	return t
}

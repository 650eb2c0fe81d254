package bench

import (
	"context"
	"fmt"
	"time"

	node "github.com/peercache/peercache/bench/internal/copying"
	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/product"
	"github.com/peercache/peercache/bench/internal/report"
)

const copyRole = "copy"

func newCopy() (map[string]proc.Handler, func()) { return node.New() }

// copying measures how fast entries go from one process to another that joins,
// and back when it leaves. Nothing else happens meanwhile.
func copying(ctx context.Context, r *Run) error {
	if !r.wanted(product.Peercache) {
		return nil
	}
	fills := []node.Fill{{Entries: 400_000, Size: load.ValueLen}, {Entries: 100_000, Size: 4000}}
	if r.Quick {
		fills = []node.Fill{{Entries: 50_000, Size: load.ValueLen}, {Entries: 10_000, Size: 4000}}
	}
	for _, f := range fills {
		for _, secret := range []string{"", "a secret for measuring only"} {
			if err := r.copy(ctx, f, secret); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) copy(ctx context.Context, f node.Fill, secret string) error {
	first, err := r.Group.Start(copyRole, proc.Options{Name: "the node that stays"})
	if err != nil {
		return err
	}
	defer first.Stop()
	var gossip string
	if err := ask(ctx, first, node.DoStart, node.Start{Name: "n0", Secret: secret}, &gossip, time.Minute); err != nil {
		return err
	}
	if err := ask(ctx, first, node.DoFill, f, nil, 2*time.Minute); err != nil {
		return err
	}
	var joins, leaves []node.Moved
	for range r.Rounds {
		second, err := r.Group.Start(copyRole, proc.Options{Name: "the node that comes and goes"})
		if err != nil {
			return err
		}
		var in, out node.Moved
		err = ask(ctx, second, node.DoJoin, node.Start{Name: "n1", Secret: secret, Join: []string{gossip}}, &in, 2*time.Minute)
		if err == nil {
			err = ask(ctx, second, node.DoLeave, nil, &out, time.Minute)
		}
		second.Stop()
		if err != nil {
			return err
		}
		joins, leaves = append(joins, in), append(leaves, out)
	}
	r.Add(copyRow("join", f, secret, joins), copyRow("leave", f, secret, leaves))
	return nil
}

func copyRow(what string, f node.Fill, secret string, list []node.Moved) report.Row {
	var rate, mb, all, count []float64
	for _, m := range list {
		n := float64(m.Entries)
		if m.Copying > 0 {
			rate = append(rate, n/m.Copying.Seconds())
			mb = append(mb, n*float64(f.Size+load.KeyLen)/1e6/m.Copying.Seconds())
		}
		all = append(all, float64(m.All)/float64(time.Millisecond))
		count = append(count, n)
	}
	secure := secret != ""
	return report.Row{
		Product: product.Peercache, TLS: &secure, Case: fmt.Sprintf("%s, values of %d bytes", what, f.Size), Rounds: len(list),
		Ops: report.Median(rate),
		Figures: map[string]float64{
			"mb_per_second": report.Median(mb), "whole_ms": report.Median(all), "copied_entries": report.Median(count),
		},
	}
}

package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	nodes "github.com/peercache/peercache/bench/internal/growth"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/product"
	"github.com/peercache/peercache/bench/internal/report"
)

const growthRole = "growth"

func newGrowth() (map[string]proc.Handler, func()) { return nodes.New() }

const (
	// growFor bounds the growing, and joinFor a node's join. Where the machine is
	// too slow for that, larger clusters are left out.
	growFor = 150 * time.Second
	joinFor = time.Minute
)

// growth counts what nodes send each other, by how many there are. All are in
// one process, and come one after the other: a hundred processes do not fit on
// two processors. What is counted does not depend on that, what is timed does.
func growth(ctx context.Context, r *Run) error {
	if !r.wanted(product.Peercache) {
		return nil
	}
	counts := []int{1, 3, 10, 30, 100}
	if r.Quick {
		counts = []int{1, 3, 10}
	}
	c, err := r.startGrowth(ctx)
	if err != nil {
		return err
	}
	defer c.Stop()
	start, nodesNow := time.Now(), 0
	var last []joinTime
	for _, n := range counts {
		r.Log("%d nodes", n)
		for ; nodesNow < n; nodesNow++ {
			if time.Since(start) > growFor {
				r.Note("%d nodes and more are left out: only %d have joined after %v", n, nodesNow, growFor)
				r.tables(ctx)
				return nil
			}
			var j nodes.Joined
			if err := ask(ctx, c, nodes.DoJoin, joinFor, &j, 2*joinFor); err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				r.Note("%d nodes and more are left out: %v", n, err)
				r.tables(ctx)
				return nil
			}
			last = append(last, joinTime{millis(j.Serving), millis(j.Take), millis(j.Everyone)})
			last = last[max(len(last)-joinsKept, 0):]
		}
		if err := r.grown(ctx, c, n, last); err != nil {
			return err
		}
	}
	r.tables(ctx)
	return nil
}

// joinsKept is how many joins there are at most in a median of their times.
const joinsKept = 5

type joinTime struct{ serving, take, everyone float64 } // ms

// startGrowth starts the process, with a network of its own where it can.
func (r *Run) startGrowth(ctx context.Context) (*proc.Child, error) {
	o := proc.Options{Name: "many nodes", OwnNetwork: true}
	c, err := r.Group.Start(growthRole, o)
	if err != nil {
		r.Note("bytes are those of everything on loopback: a network of its own is refused: %v", err)
		o.OwnNetwork = false
		if c, err = r.Group.Start(growthRole, o); err != nil {
			return nil, err
		}
	}
	return c, ask(ctx, c, nodes.DoStart, nodes.Start{Own: o.OwnNetwork}, nil, time.Minute)
}

// grown measures a cluster of n nodes.
func (r *Run) grown(ctx context.Context, c *proc.Child, n int, joins []joinTime) error {
	idleFor := 5 * time.Second
	if r.Quick {
		idleFor = 2 * time.Second
	}
	var idle float64
	for _, wait := range []time.Duration{idleFor / 2, idleFor} { // the first is for what the joins have left to say
		if err := ask(ctx, c, nodes.DoIdle, wait, &idle, time.Minute); err != nil {
			return err
		}
	}
	figures := map[string]float64{"nodes": float64(n), "gossip_bytes_per_second_per_node": idle / float64(n)}
	others := float64(n - 1)
	for _, f := range []struct {
		op      string
		formula float64
	}{
		// As docs/protocol.md has it, for a key that another node owns, without
		// near copies and backups. A revocation and a clear are answered, and
		// that all have cleared is told.
		{"set", 1}, {"get", 1}, {"delete", 1 + 2*others}, {"clear", 3 * others},
	} {
		op, formula := f.op, f.formula
		if n == 1 {
			formula = 0
		}
		calls := nodes.Calls{Op: op, Count: 2000, Idle: idle}
		if op == "clear" {
			calls.Count = 50
		}
		var cost nodes.Cost
		if err := ask(ctx, c, nodes.DoCost, calls, &cost, 2*time.Minute); err != nil {
			return err
		}
		figures[op+"_messages"], figures[op+"_bytes"], figures[op+"_us"] = cost.Messages, cost.Bytes, micros(cost.Took)
		figures[op+"_formula"] = formula
	}
	var serving, take, everyone []float64
	for _, j := range joins {
		serving, take, everyone = append(serving, j.serving), append(take, j.take), append(everyone, j.everyone)
	}
	figures["join_ms"], figures["take_ms"], figures["join_everyone_ms"] = report.Median(serving), report.Median(take), report.Median(everyone)
	r.Add(report.Row{Product: product.Peercache, Case: fmt.Sprintf("%d nodes", n), Rounds: 1, Figures: figures})
	return nil
}

// tables measures how long it takes to share the slots out, by the benchmark of
// package cluster: it is no part of what that exports.
func (r *Run) tables(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkNewRing$", "-benchtime", "20x", "./cluster")
	cmd.Dir = ".."
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Note("table building is left out: go test: %v: %.200s", err, out)
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		name, ok := strings.CutPrefix(strings.Join(f[:min(len(f), 1)], ""), "BenchmarkNewRing/")
		if !ok || len(f) < 4 {
			continue
		}
		count, _, _ := strings.Cut(name, "-")
		n, err1 := strconv.ParseFloat(count, 64)
		ns, err2 := strconv.ParseFloat(f[2], 64)
		if err1 == nil && err2 == nil {
			r.Add(report.Row{
				Product: product.Peercache, Case: "table of " + count + " nodes", Rounds: 1,
				Figures: map[string]float64{"nodes": n, "table_ms": ns / 1e6},
			})
		}
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

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

// startWithin bounds the start of all nodes of a cluster. On a busy machine a
// hundred in one process may not make it, and are left out then.
const startWithin = 2 * time.Minute

// growth counts what nodes send each other, by how many there are. All are in
// one process, since a hundred processes do not fit on two processors; what is
// counted does not depend on that, what is timed does.
func growth(ctx context.Context, r *Run) error {
	if !r.wanted(product.Peercache) {
		return nil
	}
	counts := []int{1, 3, 10, 30, 100}
	if r.Quick {
		counts = []int{1, 3, 10}
	}
	for _, n := range counts {
		r.Log("%d nodes", n)
		err := r.grow(ctx, n)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			r.Fail(fmt.Sprintf("%d nodes", n), err)
		}
	}
	r.tables(ctx)
	return nil
}

func (r *Run) grow(ctx context.Context, n int) error {
	own := true
	c, err := r.Group.Start(growthRole, proc.Options{Name: fmt.Sprintf("%d nodes", n), OwnNetwork: true})
	if err != nil {
		r.Note("bytes are those of everything on loopback: a network of its own is refused: %v", err)
		own = false
		if c, err = r.Group.Start(growthRole, proc.Options{Name: fmt.Sprintf("%d nodes", n)}); err != nil {
			return err
		}
	}
	defer c.Stop()
	var started nodes.Started
	if err := ask(ctx, c, nodes.DoStart, nodes.Start{Nodes: n, Own: own, Within: startWithin}, &started, 2*startWithin); err != nil {
		return err
	}
	idleFor := 5 * time.Second
	if r.Quick {
		idleFor = 2 * time.Second
	}
	var settle, idle float64 // the first waits for what the start has left to say
	if err := ask(ctx, c, nodes.DoIdle, idleFor/2, &settle, time.Minute); err != nil {
		return err
	}
	if err := ask(ctx, c, nodes.DoIdle, idleFor, &idle, time.Minute); err != nil {
		return err
	}
	figures := map[string]float64{
		"nodes": float64(n), "gossip_bytes_per_second_per_node": idle / float64(n), "start_ms": millis(started.Took),
	}
	for _, op := range []string{"set", "get", "delete", "clear"} {
		count := 2000
		if op == "clear" {
			count = 50
		}
		var cost nodes.Cost
		if err := ask(ctx, c, nodes.DoCost, nodes.Calls{Op: op, Count: count, Idle: idle}, &cost, time.Minute); err != nil {
			return err
		}
		figures[op+"_messages"], figures[op+"_bytes"], figures[op+"_us"] = cost.Messages, cost.Bytes, micros(cost.Took)
	}
	var joined nodes.Joined
	if err := ask(ctx, c, nodes.DoJoin, nil, &joined, 2*time.Minute); err != nil {
		return err
	}
	figures["join_ms"], figures["take_ms"] = millis(joined.All), millis(joined.Take)
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

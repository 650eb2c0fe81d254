package main

import (
	"context"
	"fmt"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// crash kills n2 under traffic and starts it again. Calls for what it owned may
// be refused until the others know; then they are repeated. Nothing may be lost.
func (st *story) crash(ctx context.Context) error {
	hit := st.nodes[1]
	others := []*fleet.Node{st.nodes[0], st.nodes[2]}
	begun := time.Now()
	if err := st.backedUp(ctx, st.nodes); err != nil {
		return err
	}
	st.s.line("", "every entry has its backup", "", time.Since(begun))
	return st.withTraffic(ctx, others, func(t *traffic, enough int64) error {
		t.patient.Store(true)
		begun := time.Now()
		st.p.Kill(hit)
		st.nodes = others
		if err := st.c.Settle(ctx, st.nodes); err != nil {
			return err
		}
		st.s.line(hit.Name, "kill -9", "the others serve what it had", time.Since(begun))
		if err := t.wait(ctx, enough); err != nil {
			return err
		}
		t.patient.Store(false)
		begun = time.Now()
		n, err := st.p.Start(ctx, hit.Name, st.nodes)
		if err != nil {
			return err
		}
		st.nodes = append(st.nodes, n)
		if err := st.c.Settle(ctx, st.nodes); err != nil {
			return err
		}
		st.s.line(n.Name, "starts again", "serves "+st.share(ctx, n), time.Since(begun))
		return t.wait(ctx, enough)
	})
}

// rolling restarts every node in order, one after another, under traffic.
func (st *story) rolling(ctx context.Context) error {
	return st.withTraffic(ctx, st.nodes[1:], func(t *traffic, enough int64) error {
		for range len(st.nodes) {
			n := st.nodes[0]
			st.nodes = st.nodes[1:]
			begun := time.Now()
			if err := st.p.Stop(ctx, n); err != nil {
				return err
			}
			again, err := st.p.Start(ctx, n.Name, st.nodes)
			if err != nil {
				return err
			}
			st.nodes = append(st.nodes[:len(st.nodes):len(st.nodes)], again)
			if err := st.c.Settle(ctx, st.nodes); err != nil {
				return err
			}
			st.s.line(n.Name, "SIGTERM, and starts again", "serves "+st.share(ctx, again), time.Since(begun))
			if err := t.use(ctx, st.nodes[1:]); err != nil { // not the next to leave
				return err
			}
		}
		return nil
	})
}

// backedUp waits until all slots have their backups.
func (st *story) backedUp(ctx context.Context, nodes []*fleet.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		sum := 0
		for _, n := range nodes {
			var stats struct {
				BackedUp int `json:"slots_backed_up"`
			}
			if err := st.c.Read(ctx, n, "/v1/stats", &stats); err != nil {
				return err
			}
			sum += stats.BackedUp
		}
		if sum == slots {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d slots have their backups after 30 s: %w", sum, slots, ctx.Err())
		}
	}
}

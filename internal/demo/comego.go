package main

import (
	"context"
	"fmt"
	"time"
)

// comeAndGo lets n4 join and n3 leave under traffic.
func (st *story) comeAndGo(ctx context.Context) (err error) {
	staying, leaver := st.nodes[:2:2], st.nodes[2]
	begun := time.Now()
	t, err := st.startTraffic(ctx, staying)
	if err != nil {
		return err
	}
	finished := false
	defer func() {
		if !finished {
			_ = t.finish() // the error that is returned came first
		}
	}()
	st.s.line("", fmt.Sprintf("PUT %s keys through n1 and n2", number(st.keys)), "204 each", time.Since(begun))
	enough := int64(st.keys / 2) // calls before, between and after
	traffic := time.Now()
	if err := t.wait(ctx, enough); err != nil {
		return err
	}

	begun = time.Now()
	joiner, err := st.p.start(ctx, "n4", st.nodes)
	if err != nil {
		return err
	}
	st.nodes = append(st.nodes, joiner)
	if err := st.c.settle(ctx, st.nodes); err != nil {
		return err
	}
	st.s.line("n4", "joins", "serves "+st.share(ctx, joiner), time.Since(begun))
	staying = append(staying, joiner)
	t.nodes.Store(&staying)
	if err := t.wait(ctx, enough); err != nil {
		return err
	}

	begun = time.Now()
	if err := st.p.stop(ctx, leaver); err != nil {
		return err
	}
	st.nodes = staying
	st.s.line(leaver.Name, "SIGTERM: hands over and leaves", "exit status 0", time.Since(begun))
	if err := st.c.settle(ctx, st.nodes); err != nil {
		return err
	}
	if err := t.wait(ctx, enough); err != nil {
		return err
	}
	finished = true
	if err := t.finish(); err != nil {
		return err
	}
	st.s.line("", fmt.Sprintf("%s calls meanwhile, %d at a time", number(int(t.calls.Load())), workers),
		"all right; slowest "+spoken(time.Duration(t.slowest.Load())), time.Since(traffic))

	for _, n := range st.nodes {
		begun := time.Now()
		there, err := t.check(ctx, n)
		if err != nil {
			return fmt.Errorf("after a join and a leave: %w", err)
		}
		st.s.line(n.Name, fmt.Sprintf("POST a list of all %s keys", number(st.keys)),
			fmt.Sprintf("%s there, %s deleted", number(there), number(st.keys-there)), time.Since(begun))
	}
	return nil
}

// share says how much of the keys a node owns.
func (st *story) share(ctx context.Context, n *node) string {
	var stats struct {
		Active int `json:"slots_active"`
	}
	if err := st.c.read(ctx, n, "/v1/stats", &stats); err != nil {
		return "its share"
	}
	return number(stats.Active) + " of 32,768 slots"
}

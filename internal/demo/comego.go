package main

import (
	"context"
	"fmt"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// withTraffic lets something happen while some of the nodes are called, and
// then asks every node for every key.
func (st *story) withTraffic(ctx context.Context, called []*fleet.Node, play func(t *traffic, enough int64) error) error {
	begun := time.Now()
	t, err := st.startTraffic(ctx, called)
	if err != nil {
		return err
	}
	finished := false
	defer func() {
		if !finished {
			_ = t.finish() // the error that is returned came first
		}
	}()
	st.s.line("", fmt.Sprintf("PUT %s keys through %s and %s", number(st.keys), called[0].Name, called[1].Name), "204 each", time.Since(begun))
	enough := int64(st.keys / 2) // calls before, between and after
	begun = time.Now()
	if err := t.wait(ctx, enough); err != nil {
		return err
	}
	if err := play(t, enough); err != nil {
		return err
	}
	if err := t.wait(ctx, enough); err != nil {
		return err
	}
	finished = true
	if err := t.finish(); err != nil {
		return err
	}
	answer := "all right"
	if n := t.repeated.Load(); n > 0 {
		answer = fmt.Sprintf("all right, %d at a second try", n)
	}
	st.s.line("", fmt.Sprintf("%s calls meanwhile, %d at a time", number(int(t.calls.Load())), workers),
		answer+"; slowest "+spoken(time.Duration(t.slowest.Load())), time.Since(begun))
	for _, n := range st.nodes {
		begun := time.Now()
		there, err := t.check(ctx, n)
		if err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
		st.s.line(n.Name, fmt.Sprintf("POST a list of all %s keys", number(st.keys)),
			fmt.Sprintf("%s there, %s deleted", number(there), number(st.keys-there)), time.Since(begun))
	}
	return nil
}

// comeAndGo lets n4 join and n3 leave under traffic.
func (st *story) comeAndGo(ctx context.Context) error {
	staying, leaver := st.nodes[:2:2], st.nodes[2]
	return st.withTraffic(ctx, staying, func(t *traffic, enough int64) error {
		begun := time.Now()
		joiner, err := st.p.Start(ctx, "n4", st.nodes)
		if err != nil {
			return err
		}
		st.nodes = append(st.nodes, joiner)
		if err := st.c.Settle(ctx, st.nodes); err != nil {
			return err
		}
		st.s.line("n4", "joins", "serves "+st.share(ctx, joiner), time.Since(begun))
		staying = append(staying, joiner)
		if err := t.use(ctx, staying); err != nil {
			return err
		}

		begun = time.Now()
		if err := st.p.Stop(ctx, leaver); err != nil {
			return err
		}
		st.nodes = staying
		st.s.line(leaver.Name, "SIGTERM: hands over and leaves", "exit status 0", time.Since(begun))
		return st.c.Settle(ctx, st.nodes)
	})
}

// slots is how many there are.
const slots = 32_768

// share says how much of the keys a node owns.
func (st *story) share(ctx context.Context, n *fleet.Node) string {
	var stats struct {
		Active int `json:"slots_active"`
	}
	if err := st.c.Read(ctx, n, "/v1/stats", &stats); err != nil {
		return "its share"
	}
	return fmt.Sprintf("%s of %s slots", number(stats.Active), number(slots))
}

package bench

import (
	"context"

	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/product"
	"github.com/peercache/peercache/bench/internal/report"
)

const (
	oneKey  = "one remote key"
	manyKey = "100 keys"
)

// many measures a hundred keys at once, shared out over three nodes, beside one
// key of another node; and what Redis and memcached take for a hundred.
func many(ctx context.Context, r *Run) error {
	l := layout{servers: 2, clients: 1, callers: 64, pin: true}
	get := member.Work{Name: "get", Kind: member.Get, Keys: 10_000}
	work := member.Work{Name: "many", Kind: member.Many, Keys: 10_000, Batch: 100}
	var field []*entrant
	if d := r.deployed(ctx, rival(product.Peercache, false), l); d != nil {
		field = present(r.entrant(ctx, d, oneKey, get), r.entrant(ctx, d, manyKey, work))
	}
	l.servers = 1
	for _, name := range []string{product.RedisRueidis, product.RedisGoRedis, product.MemcachedGo} {
		field = append(field, present(r.enter(ctx, rival(name, false), l, manyKey, work))...)
	}
	callers := []int{1, 8}
	if err := r.contest(ctx, field, callers); err != nil {
		return err
	}
	list := rows(field, find(field, product.Peercache, oneKey, false), callers)
	addRoundTrips(list, oneKey)
	r.Add(list...)
	return nil
}

// addRoundTrips adds to each row how many times the median of the base's case it
// takes, with the same number of callers.
func addRoundTrips(list []report.Row, base string) {
	medians := make(map[int]float64)
	for _, row := range list {
		if row.Case == base {
			medians[row.Callers] = row.P50
		}
	}
	for i := range list {
		if m := medians[list[i].Callers]; m > 0 {
			if list[i].Figures == nil {
				list[i].Figures = make(map[string]float64)
			}
			list[i].Figures["p50_times_base"] = list[i].P50 / m
		}
	}
}

package bench

import (
	"context"

	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/product"
)

var setCallers = []int{1, 64}

const (
	noBackup  = "no backup"
	oneBackup = "one backup"
)

// set measures sets with two copies of each entry on three processes: one makes
// the calls and has processor 0, the others share processor 1. Redis has a
// replica there and is told to WAIT for it; peercache's and Olric's caller owns a
// third itself.
func set(ctx context.Context, r *Run) error {
	l := layout{servers: 2, clients: 1, backups: 1, callers: 64, pin: true}
	work := member.Work{Name: "set", Kind: member.Set, Keys: 20_000}
	var field []*entrant
	enter := func(p *product.Product, kase string) {
		if e := r.enter(ctx, p, l, kase, work); e != nil {
			field = append(field, e)
		}
	}
	if r.canBackup(ctx) {
		enter(rival(product.Peercache, false), oneBackup)
		enter(rival(product.Peercache, true), oneBackup)
	}
	enter(rival(product.RedisRueidis, false), oneBackup)
	enter(rival(product.RedisGoRedis, false), oneBackup)
	enter(rival(product.Olric, false), oneBackup)
	l.backups = 0
	enter(rival(product.Peercache, false), noBackup)
	enter(rival(product.Peercache, true), noBackup)
	if err := r.contest(ctx, field, setCallers); err != nil {
		return err
	}
	r.Add(rows(field, find(field, product.RedisRueidis, oneBackup, false), setCallers)...)
	return nil
}

// canBackup tells whether to measure with backups.
func (r *Run) canBackup(ctx context.Context) bool {
	if !r.Backups {
		r.Note("peercache with one backup is left out: -backups=false")
		return false
	}
	if err := product.Backups(ctx); err != nil {
		r.Note("peercache with one backup is left out: %v", err)
		return false
	}
	return true
}

package bench

import (
	"context"
	"fmt"

	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/product"
)

// deletes measures a delete that every node has confirmed, over three and seven
// nodes, beside a bare round trip: the floor's get. One node makes the calls and
// has processor 0; the others share processor 1. Sets on the same nodes are
// measured beside it, and the floor's answers of all others at once, asked by the client
// and by one of the servers.
func deletes(ctx context.Context, r *Run) error {
	l := layout{clients: 1, callers: 64, pin: true}
	del := member.Work{Name: "delete", Kind: member.Delete, Keys: 20_000}
	setting := member.Work{Name: "set", Kind: member.Set, Keys: del.Keys}
	backups := []int{0}
	if r.canBackup(ctx) {
		backups = append(backups, 1)
	}
	l.servers = 1
	asking := member.Work{Name: "get", Kind: member.Get, Keys: product.FloorKeys}
	field := present(r.enter(ctx, rival(product.Floor, false), l, "round trip", asking))
	for _, nodes := range []int{3, 7} {
		l.backups, l.servers = 0, nodes-1
		for _, floor := range []string{product.Floor, product.FloorThrough} {
			field = append(field, present(r.enter(ctx, rival(floor, false), l, fmt.Sprintf("%d at once", l.servers), asking))...)
		}
		for _, l.backups = range backups {
			l.servers = nodes - 1
			d := r.deployed(ctx, rival(product.Peercache, false), l)
			if d == nil {
				continue
			}
			kase := fmt.Sprintf("%d nodes, %d backups", nodes, l.backups)
			field = append(field, present(
				r.entrant(ctx, d, "delete, "+kase, del), r.entrant(ctx, d, "set, "+kase, setting))...)
		}
	}
	if err := r.contest(ctx, field, setCallers); err != nil {
		return err
	}
	list := rows(field, find(field, product.Floor, "round trip", false), setCallers)
	addRoundTrips(list, "round trip")
	r.Add(list...)
	return nil
}

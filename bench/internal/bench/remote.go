package bench

import (
	"context"

	"github.com/peercache/peercache/bench/internal/member"
	"github.com/peercache/peercache/bench/internal/product"
)

var remoteCallers = []int{1, 8, 64, 512}

// remote measures a get from another process. Client and server have a processor
// each, and near copies are off. The floor is the base.
func remote(ctx context.Context, r *Run) error {
	l := layout{servers: 1, clients: 1, callers: 512, pin: true}
	work := member.Work{Name: "get", Kind: member.Get, Keys: product.FloorKeys}
	var field []*entrant
	for _, p := range product.All() {
		if p.Name != product.FloorThrough {
			field = append(field, r.enter(ctx, p, l, "", work))
		}
	}
	field = present(field...)
	if err := r.contest(ctx, field, remoteCallers); err != nil {
		return err
	}
	r.Add(rows(field, find(field, product.Floor, "", false), remoteCallers)...)
	return nil
}

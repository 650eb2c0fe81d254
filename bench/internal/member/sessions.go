package member

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/product"
)

// newSessions makes the calls of a shop: of a hundred 95 get a session as a
// struct, 4 set one, 1 deletes one, drawn by Zipf's law. A session that is not
// found is set by the same caller, as a shop does that has read its database;
// that is a call of its own, which does not count.
func newSessions(ctx context.Context, p *product.Part, w Work) (*work, error) {
	shop, err := load.NewShop(load.Samples)
	if err != nil {
		return nil, err
	}
	calls := p.Typed()
	mine := (w.Keys - w.Share + w.Of - 1) / w.Of
	if err := each(mine, func(i int) error {
		return calls.Set(ctx, shop.Session(w.Share+i*w.Of))
	}); err != nil {
		return nil, err
	}
	tokens := load.Keys(0, w.Keys)
	draws := load.ZipfDraws(w.Keys, 1<<20, 1)
	var next atomic.Uint64
	next.Store(uint64(w.Share) * 7919)
	var asked, missed atomic.Uint64
	call := func(ctx context.Context, rnd *rand.Rand) (time.Time, error) {
		i := int(draws[next.Add(1)%uint64(len(draws))])
		token := tokens[i]
		switch r := rnd.IntN(100); {
		case r < 95:
			began := time.Now()
			s, err := calls.Get(ctx, token)
			asked.Add(1)
			if errors.Is(err, product.ErrMissing) {
				// The answer's time is kept by beginning as long ago as it took.
				took := time.Since(began)
				missed.Add(1)
				if err := calls.Set(ctx, shop.Session(i)); err != nil {
					return began, fmt.Errorf("setting what was missed: %w", err)
				}
				return time.Now().Add(-took), nil
			}
			if err == nil && s.Token != token {
				err = fmt.Errorf("another's session")
			}
			return began, err
		case r < 99:
			s := shop.Session(i)
			return since(func() error { return calls.Set(ctx, s) })
		default:
			return since(func() error { return calls.Delete(ctx, token) })
		}
	}
	after := func(o *load.Outcome) {
		o.Missed = float64(missed.Swap(0)) / float64(max(asked.Swap(0), 1))
	}
	return &work{call: call, after: after}, nil
}

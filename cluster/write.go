package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// check refuses a call that cannot be made.
func (n *Node) check(ctx context.Context, key string) error {
	switch {
	case n.shut.Load() && !n.cfg.faults.has(answersClosed):
		return ErrClosed
	case key == "":
		return errors.New("cluster: the key is empty")
	case len(key) > MaxKey:
		return tooLarge("a key", len(key), MaxKey)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// write brings a Set or a Delete to its owner.
func (n *Node) write(ctx context.Context, o *op) error {
	o.space.counts.writes.Add(1)
	_, _, err := n.do(ctx, o)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// deletesAtATime is how many keys of one Delete are under way together.
const deletesAtATime = 64

// deleteAll deletes every key, whatever becomes of the others.
func (n *Node) deleteAll(ctx context.Context, sp *space, keys []string) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.RequestTimeout)
	defer cancel()
	del := func(key string) error {
		return n.write(ctx, &op{kind: kindDelete, space: sp, key: key, hash: sp.hasher.hash(key)})
	}
	if len(keys) == 1 {
		return del(keys[0])
	}
	errs := make([]error, len(keys))
	sem := make(chan struct{}, deletesAtATime)
	var wg sync.WaitGroup
	for i, key := range keys {
		sem <- struct{}{}
		wg.Add(1)
		go func() { // ends with the call, which has a deadline
			defer func() { <-sem; wg.Done() }()
			errs[i] = del(key)
		}()
	}
	wg.Wait()
	return joinPartial(keys, errs)
}

// joinPartial makes one error of the keys' errors. Those that are partial are
// one PartialError.
func joinPartial(keys []string, errs []error) error {
	var list []error
	var partial *PartialError
	seen := make(map[string]bool)
	for i, err := range errs {
		var p *PartialError
		switch {
		case err == nil:
		case errors.As(err, &p):
			if partial == nil {
				partial = &PartialError{}
				list = append(list, partial)
			}
			for _, m := range p.Members {
				if !seen[m] {
					seen[m] = true
					partial.Members = append(partial.Members, m)
				}
			}
		default:
			list = append(list, fmt.Errorf("key %q: %w", keys[i], err))
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return errors.Join(list...)
}

// deleteAgain carries on a deletion whose caller was told that it is not yet
// everywhere, when the slot was lost before that: until its owner has it.
func (n *Node) deleteAgain(ref cache.Ref) {
	n.spawn(func(ctx context.Context) {
		o := op{kind: kindDelete, space: n.caches.numbered(ref.Cache), key: ref.Key, hash: ref.Hash}
		for ctx.Err() == nil {
			_, _, err := n.do(ctx, &o)
			var partial *PartialError
			if err == nil || errors.As(err, &partial) {
				return
			}
			n.pause(ctx, lastRetry)
		}
	})
}

// clear clears a cache on every member.
func (n *Node) clear(ctx context.Context, sp *space) error {
	if err := n.check(ctx, "-"); err != nil {
		return err
	}
	if n.fencedOff() {
		return errFenced
	}
	sp.counts.clears.Add(1)
	timeout := n.timeout(ctx)
	deadline := n.clock.now() + timeout
	for !n.merged.Load() { // what has not heard of earlier clears may not clear
		if err := n.await(ctx, n.members.view.Load(), min(firstRetry, deadline-n.clock.now())); err != nil {
			return err
		}
		if n.clock.now() >= deadline {
			return fmt.Errorf("%w: the node has not joined yet: %w", ErrUnavailable, errTimeout)
		}
	}
	defer n.spreadGeneration(sp)
	lc := n.takeLocal()
	call := n.clears.start(n, sp.number, lc, deadline-margin(timeout))
	a, err := n.waitLocal(ctx, lc, func() bool { return n.clears.forget(call) }, deadline-n.clock.now())
	if err != nil {
		if errors.Is(err, ErrClosed) {
			return err
		}
		return fmt.Errorf("%w: clearing: %w", ErrUnavailable, err)
	}
	return answerError(&a, n)
}

// spreadGeneration lets members hear early of a clear that nobody whom it asked
// knows of. They would hear of it in any case; nothing rests on this.
func (n *Node) spreadGeneration(sp *space) {
	gen := []protocol.CacheGeneration{{Cache: sp.number, Generation: *sp.gen.Load()}}
	if err := n.gossip.Broadcast(n.caches.appendGenerations(nil, gen)); err != nil {
		n.log.Debug("cluster: a clear was not spread by gossip", "err", err)
	}
}

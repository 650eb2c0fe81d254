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
	var a protocol.Answer
	_, err := n.do(ctx, o, &a)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// deletesAtATime is how many keys of one Delete are under way together.
const deletesAtATime = 64

// deleteAll deletes every key, whatever becomes of the others.
func (n *Node) deleteAll(ctx context.Context, sp *space, keys []string) error {
	del := func(ctx context.Context, key string) error {
		return n.write(ctx, &op{kind: kindDelete, space: sp, key: key, hash: sp.hasher.hash(key)})
	}
	if len(keys) == 1 {
		return del(ctx, keys[0])
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.RequestTimeout)
	defer cancel()
	errs := make([]error, len(keys))
	sem := make(chan struct{}, deletesAtATime)
	var wg sync.WaitGroup
	for i, key := range keys {
		sem <- struct{}{}
		wg.Add(1)
		go func() { // ends with the call, which has a deadline
			defer func() { <-sem; wg.Done() }()
			errs[i] = del(ctx, key)
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
			var a protocol.Answer
			_, err := n.do(ctx, &o, &a)
			var partial *PartialError
			if err == nil || errors.As(err, &partial) {
				return
			}
			n.pause(ctx, lastRetry)
		}
	})
}

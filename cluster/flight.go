package cluster

import (
	"context"
	"fmt"
	"sync"

	"github.com/peercache/peercache/cache"
)

// flights let callers that want the same thing at the same time share runs. A
// caller never gets the result of a run that had begun before it came: what that
// has read may have been overwritten since. Those who come during a run share
// the next one. A caller that gives up does not end a run for the others.
type flights struct {
	mu   sync.Mutex // guards keys, and what is in it
	keys map[cache.Ref]*flown
}

// flown is the run of a key that is under way, and the one that comes after it.
type flown struct {
	next *flight // nil: nobody waits
}

type flight struct {
	done  chan struct{} // closed when value and err are there
	value []byte
	err   error
}

func (f *flights) do(ctx context.Context, n *Node, ref cache.Ref, run func(context.Context) ([]byte, error)) ([]byte, error) {
	fl, err := f.join(n, ref, run)
	if err != nil {
		return nil, err
	}
	select {
	case <-fl.done:
		return fl.value, fl.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// join returns the run that a caller shares who comes now.
func (f *flights) join(n *Node, ref cache.Ref, run func(context.Context) ([]byte, error)) (*flight, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := f.keys[ref]; k != nil {
		if k.next == nil {
			k.next = &flight{done: make(chan struct{})}
		}
		return k.next, nil
	}
	if len(f.keys) >= maxLoaders {
		return nil, fmt.Errorf("%w: %d loaders run already", ErrOverloaded, maxLoaders)
	}
	first := &flight{done: make(chan struct{})}
	k := &flown{next: first}
	if !n.spawn(func(ctx context.Context) { f.fly(ctx, ref, k, run) }) {
		return nil, ErrClosed
	}
	if f.keys == nil {
		f.keys = make(map[cache.Ref]*flown)
	}
	f.keys[ref] = k
	return first, nil
}

// fly makes one run after the other until nobody waits. It ends soon after its
// context.
func (f *flights) fly(ctx context.Context, ref cache.Ref, k *flown, run func(context.Context) ([]byte, error)) {
	for {
		f.mu.Lock()
		fl := k.next
		k.next = nil
		if fl == nil {
			delete(f.keys, ref)
		}
		f.mu.Unlock()
		if fl == nil {
			return
		}
		if err := ctx.Err(); err != nil {
			fl.err = ErrClosed
		} else {
			fl.value, fl.err = onItsOwn(ctx, run)
		}
		close(fl.done)
	}
}

// onItsOwn runs f in a goroutine of its own, which f may end.
func onItsOwn(ctx context.Context, f func(context.Context) ([]byte, error)) (value []byte, err error) {
	done := make(chan struct{})
	err = errNoReturn
	go func() { // waited for
		defer close(done)
		value, err = f(ctx)
	}()
	<-done
	return value, err
}

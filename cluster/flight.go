package cluster

import (
	"context"
	"fmt"
	"sync"

	"github.com/peercache/peercache/cache"
)

// flights let callers that want the same thing at the same time share one run.
// A caller that gives up does not end the run for the others.
type flights struct {
	mu   sync.Mutex // guards runs
	runs map[cache.Ref]*flight
}

type flight struct {
	done  chan struct{} // closed when value and err are there
	value []byte
	err   error
}

func (f *flights) do(ctx context.Context, n *Node, ref cache.Ref, run func(context.Context) ([]byte, error)) ([]byte, error) {
	f.mu.Lock()
	fl := f.runs[ref]
	if fl == nil {
		if len(f.runs) >= maxLoaders {
			f.mu.Unlock()
			return nil, fmt.Errorf("%w: %d loaders run already", ErrOverloaded, maxLoaders)
		}
		fl = &flight{done: make(chan struct{})}
		if f.runs == nil {
			f.runs = make(map[cache.Ref]*flight)
		}
		f.runs[ref] = fl
		started := n.spawn(func(ctx context.Context) { // ends with run
			fl.value, fl.err = run(ctx)
			f.mu.Lock()
			delete(f.runs, ref)
			f.mu.Unlock()
			close(fl.done)
		})
		if !started {
			delete(f.runs, ref)
			f.mu.Unlock()
			return nil, ErrClosed
		}
	}
	f.mu.Unlock()
	select {
	case <-fl.done:
		return fl.value, fl.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

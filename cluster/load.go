package cluster

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// loader runs an application's Load for a cache and encodes what it returns.
type loader struct {
	load     func(ctx context.Context, key string) (value []byte, err error)
	ttl      time.Duration
	negative time.Duration
	timeout  time.Duration
	slots    chan struct{} // bounds the loaders that run at a time
}

const maxLoaders = 1024

var (
	errNoLoader = errors.New("cluster: the owner of the key has no Load for this cache")
	errNoReturn = errors.New("cluster: Load has ended its goroutine and not returned")
)

// run calls Load with a deadline of its own: the callers that wait for it may
// come and go. A panic becomes an error.
func (l *loader) run(ctx context.Context, key string) (value []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cluster: Load of %q panicked: %v\n%s", key, p, debug.Stack())
		}
	}()
	return l.load(ctx, key)
}

// load runs the loader that a slot asks for, in a goroutine that ends with
// Load.
func (n *Node) load(l protocol.Load) {
	sp := n.caches.numbered(l.Ref.Cache)
	run := sp.load.Load()
	if run == nil {
		n.loaded(l, protocol.Loaded{Err: errNoLoader})
		return
	}
	select {
	case run.slots <- struct{}{}:
	default:
		n.loaded(l, protocol.Loaded{Err: fmt.Errorf("%w: %d loaders run already", ErrOverloaded, cap(run.slots))})
		return
	}
	started := n.spawn(func(ctx context.Context) {
		r := protocol.Loaded{Err: errNoReturn}
		defer func() { // also if Load has ended the goroutine
			<-run.slots
			n.loaded(l, r)
		}()
		sp.counts.loads.Add(1)
		value, err := run.run(ctx, l.Ref.Key)
		r = protocol.Loaded{Value: value, TTL: run.ttl, Err: err}
		switch {
		case errors.Is(err, ErrNotFound):
			r = protocol.Loaded{Missing: true, Recall: run.negative}
		case err == nil && len(value) > n.cfg.MaxValue:
			r = protocol.Loaded{Err: tooLarge("a loaded value", len(value), n.cfg.MaxValue)}
		}
	})
	if !started {
		<-run.slots
	}
}

func (n *Node) loaded(l protocol.Load, r protocol.Loaded) {
	st, p, s := n.begin(l.Slot)
	s.Loaded(l.ID, l.Ref, r, n.clock.now(), &st.out)
	n.end(st, p, l.Slot)
}

// loadAlone loads for a caller whose key's owner cannot be reached, or has no
// loader. Nothing is stored. Callers on this node that ask for the same key at
// the same time share one run.
func (n *Node) loadAlone(ctx context.Context, sp *space, key string) ([]byte, error) {
	run := sp.load.Load()
	if run == nil {
		return nil, errNoLoader
	}
	hash := sp.hasher.hash(key)
	return n.alone.do(ctx, n, cache.Ref{Hash: hash, Cache: sp.number, Key: key}, func(ctx context.Context) ([]byte, error) {
		sp.counts.loads.Add(1)
		return run.run(ctx, key)
	})
}

package member

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/product"
)

// Kinds of work.
const (
	Get      = "get"      // one of Keys that another process has
	Set      = "set"      // one of Keys, wherever it belongs
	Delete   = "delete"   // the next of Keys, each once
	Many     = "many"     // Batch of Keys at once
	Sessions = "sessions" // 95 of 100 get, 4 set, 1 delete
)

// Work says which calls to make.
type Work struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Keys int    `json:"keys"`
	// Batch is how many keys are asked for at once, with Many.
	Batch int `json:"batch,omitempty"`
	// Share is which of all processes this is, with Sessions: it fills its part.
	Share int `json:"share,omitempty"`
	Of    int `json:"of,omitempty"`
}

// work is calls that are ready to be made.
type work struct {
	before func() error // not measured
	call   load.Call
	after  func(*load.Outcome)
}

func newWork(ctx context.Context, p *product.Part, w Work) (*work, error) {
	switch w.Kind {
	case Get:
		return newGet(ctx, p, w)
	case Set:
		return newSet(p, w)
	case Delete:
		return newDelete(ctx, p, w)
	case Many:
		return newMany(ctx, p, w)
	case Sessions:
		return newSessions(ctx, p, w)
	}
	return nil, fmt.Errorf("there is no work %q", w.Kind)
}

var errNone = errors.New("the product cannot do that")

func newGet(ctx context.Context, p *product.Part, w Work) (*work, error) {
	keys, err := remoteKeys(p, w.Keys)
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, p, keys); err != nil {
		return nil, err
	}
	return &work{call: func(ctx context.Context, rnd *rand.Rand) (time.Time, error) {
		key := keys[rnd.IntN(len(keys))]
		began := time.Now()
		v, err := p.Get(ctx, key)
		if err == nil {
			err = load.Check(key, v)
		}
		if err != nil {
			err = fmt.Errorf("getting %q: %w", key, err)
		}
		return began, err
	}}, nil
}

// remoteKeys returns keys that another process has.
func remoteKeys(p *product.Part, count int) ([]string, error) {
	if p.Remote == nil {
		return load.Keys(0, count), nil
	}
	var keys []string
	for from := 0; len(keys) < count; from++ {
		if from > 100*count {
			return nil, fmt.Errorf("only %d of %d keys belong to another process", len(keys), from)
		}
		if k := load.Key(from); p.Remote(k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// fill sets the keys, or where a loader makes their values, gets them once.
func fill(ctx context.Context, p *product.Part, keys []string) error {
	return each(len(keys), func(i int) error {
		if p.Load || p.Set == nil {
			_, err := p.Get(ctx, keys[i])
			return err
		}
		return p.Set(ctx, keys[i], load.Value(keys[i]))
	})
}

func newSet(p *product.Part, w Work) (*work, error) {
	if p.Set == nil {
		return nil, errNone
	}
	keys := load.Keys(0, w.Keys)
	return &work{call: func(ctx context.Context, rnd *rand.Rand) (time.Time, error) {
		key := keys[rnd.IntN(len(keys))]
		value := load.Value(key)
		return since(func() error { return p.Set(ctx, key, value) })
	}}, nil
}

func newDelete(ctx context.Context, p *product.Part, w Work) (*work, error) {
	if p.Set == nil || p.Delete == nil {
		return nil, errNone
	}
	keys := load.Keys(0, w.Keys)
	var next atomic.Int64
	return &work{
		before: func() error {
			next.Store(0)
			return fill(ctx, p, keys)
		},
		call: func(ctx context.Context, _ *rand.Rand) (time.Time, error) {
			i := int(next.Add(1)) - 1
			if i >= len(keys) {
				return time.Time{}, load.ErrEnough
			}
			return since(func() error { return p.Delete(ctx, keys[i]) })
		},
	}, nil
}

func newMany(ctx context.Context, p *product.Part, w Work) (*work, error) {
	if p.GetMany == nil {
		return nil, errNone
	}
	keys := load.Keys(0, w.Keys)
	if err := fill(ctx, p, keys); err != nil {
		return nil, err
	}
	return &work{call: func(ctx context.Context, rnd *rand.Rand) (time.Time, error) {
		first := rnd.IntN(len(keys) - w.Batch + 1)
		batch := slices.Clone(keys[first : first+w.Batch])
		return since(func() error {
			found, err := p.GetMany(ctx, batch)
			if err == nil && found != len(batch) {
				err = fmt.Errorf("%d of %d keys found", found, len(batch))
			}
			return err
		})
	}}, nil
}

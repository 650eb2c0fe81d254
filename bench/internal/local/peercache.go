package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/cluster"
)

const (
	cacheName = "local"
	memory    = 512 << 20
	readyFor  = 20 * time.Second
	// freshFor is how long near copies are taken for fresh. They last 30 s.
	freshFor = 15 * time.Second
)

func startNode(name string, join ...string) (*cluster.Node, error) {
	n, err := cluster.Start(context.Background(), cluster.Config{
		Name: name, Join: join, Memory: memory, NearTTL: cluster.MaxNearTTL, Backups: -1,
		RequestTimeout: readyFor, // both nodes share the processors with 64 callers
	})
	if err != nil {
		return nil, err
	}
	t := time.NewTimer(readyFor)
	defer t.Stop()
	select {
	case <-n.Active():
		return n, nil
	case <-t.C:
		_ = n.Close()
		return nil, fmt.Errorf("the node is not active: %w", n.Ready())
	}
}

// openOwned has one node, which owns everything.
func openOwned(keys []string) (*store, error) {
	return openOne(keys, func(key string) []byte { return load.Value(key) })
}

// openTyped is the same with values that have to be decoded; they are so once.
func openTyped(keys []string) (*store, error) {
	shop, err := load.NewShop(load.Samples)
	if err != nil {
		return nil, err
	}
	number := 0
	return openOne(keys, func(string) *load.Session { number++; return shop.Session(number) })
}

func openOne[V any](keys []string, value func(key string) V) (*store, error) {
	n, err := startNode("n0")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	c, err := cluster.NewCache(n, cacheName, cluster.Options[V]{})
	for i := 0; err == nil && i < len(keys); i++ {
		if err = c.Set(ctx, keys[i], value(keys[i])); err == nil {
			_, err = c.Get(ctx, keys[i])
		}
	}
	if err != nil {
		_ = n.Close()
		return nil, err
	}
	return &store{
		get:   func(key string) bool { _, err := c.Get(ctx, key); return err == nil },
		close: func() { _ = n.Close() },
	}, nil
}

// openNear has two nodes in the process, and gets at one of them what the other
// owns. It puts keys that the other owns in the place of those it is given.
func openNear(keys []string) (*store, error) {
	owner, err := startNode("n0")
	if err != nil {
		return nil, err
	}
	reader, err := startNode("n1", owner.GossipAddr())
	if err != nil {
		_ = owner.Close()
		return nil, err
	}
	s := &store{close: func() { _ = reader.Close(); _ = owner.Close() }}
	if err := s.near(owner, reader, keys); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) near(owner, reader *cluster.Node, keys []string) error {
	ctx := context.Background()
	there, err := cluster.NewCache(owner, cacheName, cluster.Options[[]byte]{})
	if err != nil {
		return err
	}
	here, err := cluster.NewCache(reader, cacheName, cluster.Options[[]byte]{})
	if err != nil {
		return err
	}
	for i, from := 0, 0; i < len(keys); from++ {
		if from > 100*len(keys) {
			return errors.New("the other node owns too few keys")
		}
		if k := load.Key(from); owner.Where(cacheName, k).Owner == owner.Name() {
			keys[i] = k
			i++
		}
	}
	var last time.Time
	s.get = func(key string) bool { _, err := here.Get(ctx, key); return err == nil }
	// fresh writes everything anew, which takes back all copies, and reads it.
	s.fresh = func() error {
		if time.Since(last) < freshFor {
			return nil
		}
		err := each(keys, func(key string) error {
			if err := there.Set(ctx, key, load.Value(key)); err != nil {
				return err
			}
			_, err := here.Get(ctx, key)
			return err
		})
		last = time.Now()
		return err
	}
	return nil
}

// each calls f for every key, 64 at a time, and returns one of the errors.
func each(keys []string, f func(key string) error) error {
	const atATime = 64
	errs := make([]error, atATime)
	var wg sync.WaitGroup
	for w := range atATime {
		wg.Add(1)
		go func() { // ends with its share, or with its first error
			defer wg.Done()
			for i := w; i < len(keys) && errs[w] == nil; i += atATime {
				errs[w] = f(keys[i])
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

package local

import (
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/maypok86/otter/v2"

	"github.com/peercache/peercache/bench/internal/load"
)

// Every cache has room for twice the entries, so that none is given up.

func openMap(keys []string) (*store, error) {
	var mu sync.RWMutex // guards values
	values := make(map[string][]byte)
	for _, k := range keys {
		values[k] = load.Value(k)
	}
	return &store{get: func(key string) bool {
		mu.RLock()
		_, ok := values[key]
		mu.RUnlock()
		return ok
	}}, nil
}

func openLRU(keys []string) (*store, error) {
	c, err := lru.New[string, []byte](2 * len(keys))
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		c.Add(k, load.Value(k))
	}
	return &store{get: func(key string) bool { _, ok := c.Get(key); return ok }}, nil
}

func open2Q(keys []string) (*store, error) {
	c, err := lru.New2Q[string, []byte](2 * len(keys))
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		c.Add(k, load.Value(k))
	}
	return &store{get: func(key string) bool { _, ok := c.Get(key); return ok }}, nil
}

func openExpirable(keys []string) (*store, error) {
	c := expirable.NewLRU[string, []byte](2*len(keys), nil, time.Hour)
	for _, k := range keys {
		c.Add(k, load.Value(k))
	}
	return &store{get: func(key string) bool { _, ok := c.Get(key); return ok }}, nil
}

func openOtter(keys []string) (*store, error) {
	c, err := otter.New(&otter.Options[string, []byte]{MaximumSize: 2 * len(keys), InitialCapacity: len(keys)})
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		c.Set(k, load.Value(k))
	}
	c.CleanUp()
	return &store{get: func(key string) bool { _, ok := c.GetIfPresent(key); return ok }}, nil
}

// openRistretto waits after each entry, or many would be dropped.
func openRistretto(keys []string) (*store, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters: int64(20 * len(keys)), MaxCost: int64(2 * len(keys)), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		c.Set(k, load.Value(k), 1)
		c.Wait()
	}
	return &store{get: func(key string) bool { _, ok := c.Get(key); return ok }, close: c.Close}, nil
}

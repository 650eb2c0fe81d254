package trace

import (
	"math"

	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/maypok86/otter/v2"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/cache"
)

// keyLen is a key's length, as charged.
const keyLen = load.KeyLen

// Room is what a cache may hold: bytes, or where it counts entries, as many as
// have those bytes on average. A cost is that of an entry in any of them.
type Room struct {
	Bytes   int64
	Entries int
	Cost    func(entry uint32) int64
}

// Cost is what peercache's store charges; the others are charged the same.
func (t *Trace) Cost(entry uint32) int64 { return int64(keyLen + t.Size(entry) + cache.Overhead) }

// Cache tells whether an entry is there, and adds it where it is not.
type Cache struct {
	Name string
	Open func(t *Trace, r Room) (ask func(entry uint32) bool, end func(), err error)
}

// Caches lists what is compared.
func Caches() []Cache {
	return []Cache{
		{"peercache", openStore},
		{"LRU (simplelru, bytes)", openLRU},
		{"golang-lru 2Q", open2Q},
		{"otter v2", openOtter},
		{"ristretto v2", openRistretto},
	}
}

// shards is how many parts peercache's store has with default settings: 256 MiB
// and values of at most 1 MiB.
const shards = 32

func openStore(t *Trace, r Room) (func(uint32) bool, func(), error) {
	most := int(r.Bytes/shards/4) - cache.MaxKey - cache.Overhead
	s, err := cache.New(cache.Config{Budget: r.Bytes, MaxValue: max(most, 4096)})
	if err != nil {
		return nil, nil, err
	}
	ask := func(e uint32) bool {
		key := load.Key(int(e))
		hash := load.Mix(uint64(e) + 12345)
		if _, ok := s.Get(cache.Owned, hash, 0, key); ok {
			return true
		}
		// A value under the limits is always stored.
		_, _ = s.Put(cache.Ref{Hash: hash, Key: key}, cache.Entry{Version: 1, Value: make([]byte, t.Size(e))})
		return false
	}
	return ask, s.Close, nil
}

// openLRU gives up the oldest until there are bytes enough.
func openLRU(_ *Trace, r Room) (func(uint32) bool, func(), error) {
	l, err := simplelru.NewLRU[uint32, int64](math.MaxInt, nil)
	if err != nil {
		return nil, nil, err
	}
	bytes := int64(0)
	return func(e uint32) bool {
		if _, ok := l.Get(e); ok {
			return true
		}
		cost := r.Cost(e)
		for bytes += cost; bytes > r.Bytes; {
			_, c, ok := l.RemoveOldest()
			if !ok {
				break
			}
			bytes -= c
		}
		l.Add(e, cost)
		return false
	}, func() {}, nil
}

// open2Q counts entries: golang-lru's knows no bytes.
func open2Q(_ *Trace, r Room) (func(uint32) bool, func(), error) {
	c, err := lru.New2Q[uint32, struct{}](r.Entries)
	if err != nil {
		return nil, nil, err
	}
	return func(e uint32) bool {
		if _, ok := c.Get(e); ok {
			return true
		}
		c.Add(e, struct{}{})
		return false
	}, func() {}, nil
}

// openOtter lets otter work in the caller's goroutine, so that it does not lag
// behind.
func openOtter(_ *Trace, r Room) (func(uint32) bool, func(), error) {
	c, err := otter.New(&otter.Options[uint32, struct{}]{
		MaximumWeight: uint64(r.Bytes),
		Weigher:       func(e uint32, _ struct{}) uint32 { return uint32(r.Cost(e)) },
		Executor:      func(f func()) { f() },
	})
	if err != nil {
		return nil, nil, err
	}
	return func(e uint32) bool {
		if _, ok := c.GetIfPresent(e); ok {
			return true
		}
		c.Set(e, struct{}{})
		return false
	}, func() { c.StopAllGoroutines() }, nil
}

// openRistretto waits for each addition: it drops those that come too fast.
func openRistretto(_ *Trace, r Room) (func(uint32) bool, func(), error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint32, struct{}]{
		NumCounters: int64(10 * r.Entries), MaxCost: r.Bytes, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, nil, err
	}
	return func(e uint32) bool {
		if _, ok := c.Get(e); ok {
			return true
		}
		c.Set(e, struct{}{}, r.Cost(e))
		c.Wait()
		return false
	}, c.Close, nil
}

package cache

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxKey is the longest key in bytes.
	MaxKey = 4 << 10
	// MaxCaches is the number of caches; they are numbered from 0.
	MaxCaches = 1 << 16
	// Overhead is what an entry is charged with besides its key and its value,
	// in bytes: a record of 64, a seat of 16 (up to 20, as their number grows), a place
	// in the index (11 to 14), about 16 that the allocator rounds up, and a share of
	// what a store has anyway. BenchmarkHeapPerEntry measures it: 148 with 200,000
	// entries, 121 with a million.
	Overhead = 144
	// DefaultBudget and DefaultMaxValue are in bytes.
	DefaultBudget   = 256 << 20
	DefaultMaxValue = 1 << 20

	maxShards = 256
	// minPerShard is how many of the largest entries a shard has room for at
	// least.
	minPerShard = 4
)

// Config says how large a Store is. The zero Config works.
type Config struct {
	// Budget bounds the bytes of all entries: keys, values and Overhead for each.
	// Default 256 MiB. There is one shard for each 4 values of MaxValue (with
	// keys of MaxKey) that it has room for, rounded down to a power of two,
	// 256 at most; for less than one shard it is refused.
	Budget int64
	// MaxValue is the longest value in bytes. Default 1 MiB, at most 1 GiB.
	MaxValue int
	// Clock is what Expires and LeaseEnd are measured by. It must never go back
	// and may be called from any goroutine. Default: the time since New.
	Clock func() time.Duration
}

// Store is one node's memory. Its methods may be called from any goroutine.
type Store struct {
	shards      []shard
	mask        uint64 // of the hash bits that choose a shard
	shift       uint   // their number
	budget      int64
	maxValue    int
	clock       func() time.Duration
	odd         uint64 // at random, for spot
	generations generations
	remember    atomic.Bool       // see Remember
	index       [kindCount]*index // changed with the lock of the slot's shard only
	hits        hits

	closing sync.Once
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed by the sweeper as it ends
}

// New returns an empty store. It sweeps until Close.
func New(cfg Config) (*Store, error) {
	if cfg.Budget == 0 {
		cfg.Budget = DefaultBudget
	}
	if cfg.MaxValue == 0 {
		cfg.MaxValue = DefaultMaxValue
	}
	if cfg.MaxValue < 0 || cfg.MaxValue > maxSize {
		return nil, fmt.Errorf("cache: MaxValue is %d: it must be from 1 to %d", cfg.MaxValue, maxSize)
	}
	least := minPerShard * costOf(MaxKey, cfg.MaxValue)
	if cfg.Budget < least {
		return nil, fmt.Errorf("cache: Budget is %d: it must be at least %d for values of up to %d bytes", cfg.Budget, least, cfg.MaxValue)
	}
	if cfg.Clock == nil {
		start := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(start) }
	}
	n := 1
	for n < maxShards && cfg.Budget/int64(2*n) >= least {
		n *= 2
	}
	s := &Store{
		shards: make([]shard, n), mask: uint64(n - 1), shift: uint(bits.TrailingZeros(uint(n))),
		budget: cfg.Budget, maxValue: cfg.MaxValue, clock: cfg.Clock, odd: rand.Uint64() | 1,
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	for i := range s.index {
		s.index[i] = new(index)
	}
	for i := range s.shards {
		s.shards[i].init(s, cfg.Budget/int64(n))
	}
	go s.sweep() // ended by Close
	return s, nil
}

// Close stops the sweeper and waits for its end. The store can still be used;
// what is dead is then freed only when it is touched or room is needed.
func (s *Store) Close() {
	s.closing.Do(func() { close(s.stop) })
	<-s.stopped
}

func (s *Store) shard(hash uint64) *shard { return &s.shards[hash&s.mask] }

// Peek returns a live entry or tombstone, and does not count as its use.
func (s *Store) Peek(ref Ref, kind Kind) (Entry, bool) {
	if kind >= kindCount {
		return Entry{}, false
	}
	return s.shard(ref.Hash).peek(ref, kind)
}

// Put stores an entry in its kind, unless a live one there is as new: then it
// is Older. It is Older too if it is dead already: if its cache has been
// cleared since, nothing else happens; if its time is over, it does what it
// would have done just before that, so an older entry goes. A dead entry counts
// as none.
//
// The value is kept as it is and must not be changed any more. It should not be
// a part of something larger, which it would keep in memory. The key is copied.
//
// Put returns ErrTooLarge for a key over MaxKey or a value over MaxValue, and
// ErrFull for a near or staged entry that there is no room for beside the owned
// ones. An owned entry within the limits is always stored. On an error nothing
// has changed.
func (s *Store) Put(ref Ref, e Entry) (Result, error) {
	switch {
	case e.Kind >= kindCount:
		return 0, fmt.Errorf("cache: kind %d is none of owned, near and staged", e.Kind)
	case ref.Cache >= MaxCaches:
		return 0, fmt.Errorf("cache: cache number %d is not below %d", ref.Cache, MaxCaches)
	case len(ref.Key) > MaxKey:
		return 0, tooLarge("key", len(ref.Key), MaxKey)
	case len(e.Value) > s.maxValue:
		return 0, tooLarge("value", len(e.Value), s.maxValue)
	}
	return s.shard(ref.Hash).put(ref, &e)
}

// Drop removes a key's entries and tombstones of these kinds, and tells whether
// one of them was live. The slot's floor stays.
func (s *Store) Drop(ref Ref, kinds Kinds) bool {
	return s.shard(ref.Hash).drop(ref, kinds)
}

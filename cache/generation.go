package cache

import "sync/atomic"

const (
	pageBits = 8
	pageLen  = 1 << pageBits
)

// generations has the generation of each cache. It needs no lock.
type generations struct {
	now counts
	// told is as far as this node took part in the clears: a generation between
	// that and now has come from clears that were made without it.
	told counts
	// raises changes after a generation has.
	raises atomic.Uint64
}

// counts has a count of each cache, by its number, in pages that are made when the
// first of their caches is cleared.
type counts [MaxCaches / pageLen]atomic.Pointer[[pageLen]atomic.Uint64]

// of returns a cache's count; its number is below MaxCaches.
func (c *counts) of(cacheNumber uint32) uint64 {
	p := c[cacheNumber>>pageBits%uint32(len(c))].Load()
	if p == nil {
		return 0
	}
	return p[cacheNumber%pageLen].Load()
}

// raise tells whether the count was lower.
func (c *counts) raise(cacheNumber uint32, count uint64) bool {
	page := &c[cacheNumber>>pageBits]
	if page.Load() == nil {
		page.CompareAndSwap(nil, new([pageLen]atomic.Uint64))
	}
	at := &page.Load()[cacheNumber%pageLen]
	for {
		was := at.Load()
		if was >= count {
			return false
		}
		if at.CompareAndSwap(was, count) {
			return true
		}
	}
}

// of returns a cache's generation; its number is below MaxCaches.
func (g *generations) of(cacheNumber uint32) uint64 { return g.now.of(cacheNumber) }

// RaiseGeneration makes all entries of a cache dead that are of a generation
// below count, but for tombstones of deletions. Once it has returned no call gives
// one of them out. It never lowers a generation, and is cheap: the memory is freed
// later. A number that is not below MaxCaches has no entries, and nothing happens.
func (s *Store) RaiseGeneration(cacheNumber uint32, count uint64) {
	if cacheNumber < MaxCaches {
		s.generations.told.raise(cacheNumber, count)
		s.MissedClears(cacheNumber, count)
	}
}

// MissedClears is RaiseGeneration where others have cleared the cache without this
// node, and may have written to it since. What is owned here and dead by that may be
// newer than what they have, and overwrites it: it becomes a tombstone of its
// version.
func (s *Store) MissedClears(cacheNumber uint32, count uint64) {
	if cacheNumber < MaxCaches && s.generations.now.raise(cacheNumber, count) {
		s.generations.raises.Add(1)
	}
}

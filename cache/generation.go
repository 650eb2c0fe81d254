package cache

import "sync/atomic"

const (
	pageBits = 8
	pageLen  = 1 << pageBits
)

// generations has the generation of each cache. It needs no lock.
type generations struct {
	now counts
	// forgotten is as far as all have cleared: a generation between that and now has
	// come from clears of which others may not have heard.
	forgotten counts
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
//
// What is owned here and dead by that may be newer than what others have who have not
// cleared, or have written since: where it is come upon it becomes a tombstone of its
// version, until Forget says that there is nobody like that.
func (s *Store) RaiseGeneration(cacheNumber uint32, count uint64) {
	if cacheNumber < MaxCaches && s.generations.now.raise(cacheNumber, count) {
		s.generations.raises.Add(1)
	}
}

// Forget says that all members have cleared a cache as often as count says, which is
// not above its generation: what is dead by that need not be remembered. It returns
// false, and nothing has happened, while somebody is missed who has not (Remember).
func (s *Store) Forget(cacheNumber uint32, count uint64) bool {
	if s.remember.Load() {
		return false
	}
	if cacheNumber < MaxCaches {
		s.generations.forgotten.raise(cacheNumber, min(count, s.generations.of(cacheNumber)))
	}
	return true
}

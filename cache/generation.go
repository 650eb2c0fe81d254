package cache

import "sync/atomic"

const (
	pageBits = 8
	pageLen  = 1 << pageBits
)

// generations has the generation of each cache, by its number, in pages that
// are made when the first of their caches is cleared. It needs no lock.
type generations struct {
	pages [MaxCaches / pageLen]atomic.Pointer[[pageLen]atomic.Uint64]
	// raises changes after a generation has.
	raises atomic.Uint64
}

// of returns a cache's generation; its number is below MaxCaches.
func (g *generations) of(cacheNumber uint32) uint64 {
	p := g.pages[cacheNumber>>pageBits%uint32(len(g.pages))].Load()
	if p == nil {
		return 0
	}
	return p[cacheNumber%pageLen].Load()
}

func (g *generations) raise(cacheNumber uint32, count uint64) {
	page := &g.pages[cacheNumber>>pageBits]
	if page.Load() == nil {
		page.CompareAndSwap(nil, new([pageLen]atomic.Uint64))
	}
	at := &page.Load()[cacheNumber%pageLen]
	for {
		was := at.Load()
		if was >= count {
			return
		}
		if at.CompareAndSwap(was, count) {
			g.raises.Add(1)
			return
		}
	}
}

// RaiseGeneration makes all entries of a cache dead that are of a generation
// below count. Once it has returned no call gives one of them out. It never
// lowers a generation, and is cheap: the memory is freed later. A number that
// is not below MaxCaches has no entries, and nothing happens.
func (s *Store) RaiseGeneration(cacheNumber uint32, count uint64) {
	if cacheNumber < MaxCaches {
		s.generations.raise(cacheNumber, count)
	}
}

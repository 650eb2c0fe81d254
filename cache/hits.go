package cache

import (
	"sync/atomic"
	"unsafe"
)

// hits counts the hits of each kind, and the near copies that were not there, exactly.
// Goroutines that run at the same time should not write to the same cache line, so
// there are several counts, and a goroutine takes the one that the address of its
// stack chooses. (Nothing else tells goroutines apart without a lock or a system call;
// a wrong guess costs time only.)
type hits [1 << stripeBits]struct {
	of   [Near + 1]atomic.Uint64
	none atomic.Uint64
	_    [128 - 24]byte // processors fetch cache lines in pairs
}

const stripeBits = 6

func (h *hits) add(kind Kind) { h[stripe()].of[kind].Add(1) }

// miss counts a near copy that is not there.
func (h *hits) miss() { h[stripe()].none.Add(1) }

// stripe returns the number of the counts for this goroutine.
func stripe() uint64 {
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here)) >> 10) // stacks are larger than this
	return at * 0x9e3779b97f4a7c15 >> (64 - stripeBits)
}

// Hits returns how often Get and Find have found something.
func (s *Store) Hits() uint64 { return s.hits.sum(Owned) + s.hits.sum(Near) }

func (h *hits) sum(kind Kind) (n uint64) {
	for i := range h {
		n += h[i].of[kind].Load()
	}
	return n
}

func (h *hits) misses() (n uint64) {
	for i := range h {
		n += h[i].none.Load()
	}
	return n
}

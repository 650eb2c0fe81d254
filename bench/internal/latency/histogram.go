// Package latency counts how long calls took, in a histogram of fixed size with
// an error under one part in 64.
package latency

import (
	"math/bits"
	"time"
)

const (
	subBits    = 7
	subBuckets = 1 << subBits // from one power of two to the next there are half as many
	buckets    = (64 - subBits + 1) * subBuckets / 2
)

// Histogram counts durations. The zero Histogram is empty. It has no lock: each
// goroutine counts in its own, and they are merged.
type Histogram struct {
	Counts  [buckets + subBuckets/2]uint64
	Total   uint64
	Sum     time.Duration
	Longest time.Duration
}

// bucket returns where a duration is counted: below subBuckets each nanosecond
// has its own, above that each power of two has subBuckets/2 of them.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < subBuckets {
		return int(n)
	}
	shift := bits.Len64(n) - subBits
	return shift*subBuckets/2 + int(n>>shift)
}

// top is the longest duration that a bucket counts.
func top(b int) time.Duration {
	if b < subBuckets {
		return time.Duration(b)
	}
	shift := b/(subBuckets/2) - 1
	m := uint64(b - shift*subBuckets/2)
	return time.Duration((m+1)<<shift - 1)
}

// Add counts one call.
func (h *Histogram) Add(d time.Duration) {
	h.Counts[bucket(d)]++
	h.Total++
	h.Sum += d
	h.Longest = max(h.Longest, d)
}

// Merge adds what another has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, c := range o.Counts {
		h.Counts[i] += c
	}
	h.Total += o.Total
	h.Sum += o.Sum
	h.Longest = max(h.Longest, o.Longest)
}

// At returns the duration that a share q of all calls, from 0 to 1, did not
// exceed.
func (h *Histogram) At(q float64) time.Duration {
	if h.Total == 0 {
		return 0
	}
	want := max(uint64(q*float64(h.Total)+0.9999999), 1)
	seen := uint64(0)
	for i, c := range h.Counts {
		if seen += c; seen >= want {
			return min(top(i), h.Longest)
		}
	}
	return h.Longest
}

// Sparse is a histogram as it travels: its filled buckets alone.
type Sparse struct {
	Buckets map[int]uint64 `json:"buckets"`
	Total   uint64         `json:"total"`
	Sum     time.Duration  `json:"sum"`
	Longest time.Duration  `json:"longest"`
}

// Sparse returns the filled buckets.
func (h *Histogram) Sparse() Sparse {
	s := Sparse{Buckets: make(map[int]uint64), Total: h.Total, Sum: h.Sum, Longest: h.Longest}
	for i, c := range h.Counts {
		if c > 0 {
			s.Buckets[i] = c
		}
	}
	return s
}

// Histogram is the opposite. Buckets that there are none of are left out.
func (s Sparse) Histogram() *Histogram {
	h := &Histogram{Total: s.Total, Sum: s.Sum, Longest: s.Longest}
	for i, c := range s.Buckets {
		if i >= 0 && i < len(h.Counts) {
			h.Counts[i] = c
		}
	}
	return h
}

// Over returns how many calls took longer than d, to the width of a bucket.
func (h *Histogram) Over(d time.Duration) uint64 {
	n := uint64(0)
	for _, c := range h.Counts[bucket(d)+1:] {
		n += c
	}
	return n
}

package cluster

import (
	"sync/atomic"
	"time"
)

// clock is the node's hybrid logical clock (Kulkarni et al., Logical Physical
// Clocks, 2014) and its monotonic one. A version has the physical milliseconds
// in its upper 44 bits and counts in the lower 20.
type clock struct {
	start time.Time
	last  atomic.Uint64 // the newest version made or observed
}

const (
	counterBits = 20
	// maxAhead is how far another node's clock may be ahead of this one's and
	// still be followed.
	maxAhead = time.Hour
)

func newClock() *clock { return &clock{start: time.Now()} }

// now is the time since the node's start, on Go's monotonic clock.
func (c *clock) now() time.Duration { return time.Since(c.start) }

func physical() uint64 { return uint64(max(time.Now().UnixMilli(), 0)) << counterBits }

// Next implements protocol.Clock.
func (c *clock) Next(floor uint64) uint64 {
	for {
		last := c.last.Load()
		v := max(last+1, physical())
		if v > floor {
			if c.last.CompareAndSwap(last, v) {
				return v
			}
			continue
		}
		v = floor + 1
		if v > physical()+uint64(maxAhead.Milliseconds())<<counterBits {
			return v // a version from a clock that is not followed
		}
		if c.last.CompareAndSwap(last, v) {
			return v
		}
	}
}

// Now implements protocol.Clock.
func (c *clock) Now() uint64 { return c.last.Load() }

// Observe implements protocol.Clock.
func (c *clock) Observe(version uint64) {
	if version > physical()+uint64(maxAhead.Milliseconds())<<counterBits {
		return
	}
	for {
		last := c.last.Load()
		if version <= last || c.last.CompareAndSwap(last, version) {
			return
		}
	}
}

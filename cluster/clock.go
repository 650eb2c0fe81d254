package cluster

import (
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// clock is the node's hybrid logical clock (Kulkarni et al., Logical Physical
// Clocks, 2014) and its monotonic one. A version has the physical milliseconds
// in its upper 44 bits and counts in the lower 20.
type clock struct {
	start time.Time
	// own is where this node begins to count in a millisecond. Nodes that do not hear
	// of each other, and begin at different places, hardly ever make the same version.
	own  uint64
	wall func() time.Time // the time of day, which may be wrong and may jump
	last atomic.Uint64    // the newest version made or observed, but for those in far
	far  atomic.Uint64    // the newest version made above one that is not followed

	// With the fence on, see announce.go: every clock is followed, and
	fenced bool
	most   atomic.Uint64 // no version is made above this
	made   atomic.Uint64 // the newest one made
	asked  atomic.Uint64 // how far this node has said that it may count
	short  atomic.Bool   // a version was wanted above most
	mayAsk time.Duration // when pings may be sent for that; the tick's alone

	faults faulty
}

const (
	counterBits = 20
	// ownBits leave half of the counts of a millisecond to count in.
	ownBits = counterBits - 1
	// maxAhead is how far another node's clock may be ahead of this one's and
	// still be followed.
	maxAhead = time.Hour
	// maxVersion is above every version, and maxPhysical as far as clocks are believed:
	// the year 2109. What is between is room to count.
	maxVersion  = 1 << 63
	maxPhysical = 1 << 62
)

// newClock returns the clock of a node with that incarnation.
func newClock(self protocol.Member) *clock {
	return &clock{start: time.Now(), wall: time.Now, own: uint64(self) % (1 << ownBits)}
}

// now is the time since the node's start, on Go's monotonic clock.
func (c *clock) now() time.Duration { return c.faults.timer(time.Since(c.start), c) }

func (c *clock) physical() uint64 {
	return uint64(min(max(c.wall().UnixMilli(), 0), maxPhysical>>counterBits)) << counterBits
}

// followed is the highest version that moves the clock.
func (c *clock) followed() uint64 {
	return c.physical() + uint64(maxAhead.Milliseconds())<<counterBits
}

// Next implements protocol.Clock. No version is given twice.
func (c *clock) Next(floor uint64) (uint64, bool) {
	if c.fenced {
		return c.nextAnnounced(floor)
	}
	counter := &c.last
	if floor >= c.followed() {
		counter = &c.far
	}
	for {
		last := counter.Load()
		v := max(last, floor) + 1
		if counter == &c.last {
			v = max(v, c.physical()+c.own)
		}
		if counter.CompareAndSwap(last, v) {
			return v, true
		}
	}
}

// Now implements protocol.Clock.
func (c *clock) Now() uint64 { return c.last.Load() }

// Observe implements protocol.Clock.
func (c *clock) Observe(version uint64) {
	if version > c.last.Load() && (c.fenced || version <= c.followed()) {
		raise(&c.last, version)
	}
}

// raise makes a counter at least v.
func raise(counter *atomic.Uint64, v uint64) {
	for {
		old := counter.Load()
		if v <= old || counter.CompareAndSwap(old, v) {
			return
		}
	}
}

package protocol

import (
	"math"
	"time"

	"github.com/peercache/peercache/cache"
)

// All steps of the search happen at the same time, except that something falls
// due when the search makes it. So it is tried at every moment at which it may.
const (
	now     = time.Duration(1000)
	nearFor = time.Duration(100)
	later   = time.Duration(1000) // for what the search makes due
	never   = time.Duration(math.MaxInt64)
)

// node is a member with what is around its slot. It is not changed once it is
// part of a world: a step works on a clone.
type node struct {
	sh     Shared
	slot   Slot
	clears Clears
	mem    memory
	gen    generations
	clock  logical

	alive  bool
	at     uint8   // its place in its own order of tables
	gone   uint8   // members that it has been told are gone
	copied uint8   // copying ahead: 0 not begun, 1 asked, 2 over
	lent   Term    // under which the near copy was lent
	get    reading // the application's read under way
	loads  [2]loading
	again  uint8 // a deletion to be sent again: 1 idle, 2 sent

	hash  uint64
	dirty bool
}

// reading is a read that asks the owner.
type reading struct {
	open         bool
	call         Call
	fill         Fill
	target       uint8
	stale, older uint8 // the oracle's sets when it began
}

// loading is a loader that runs.
type loading struct {
	id uint64 // 0: none
	w  uint8  // the value that it has read; 0: it will fail
}

func newNode(id Member, limits Shared, sweeps bool) *node {
	n := &node{alive: true}
	n.mem.sweeps = sweeps
	n.sh = limits
	n.sh.Self = id
	n.sh.Serving = func(int, bool) {}
	n.gen.self = id
	n.wire()
	n.slot = NewSlot(&n.sh, 0)
	n.clears = *NewClears(&n.sh)
	return n
}

func (n *node) wire() {
	n.sh.Memory, n.sh.Generations, n.sh.Clock = &n.mem, &n.gen, &n.clock
	n.mem.gens, n.gen.mem = &n.gen, &n.mem
}

func (n *node) clone() *node {
	c := *n
	c.wire()
	c.slot = cloneSlot(&n.slot, &c.sh)
	c.clears = cloneClears(&n.clears, &c.sh)
	return &c
}

// readable returns the values that a read on this node would find without
// asking: its own share while it serves, and a near copy.
func (n *node) readable(kind cache.Kind) (w uint8, ok bool) {
	if kind == cache.Owned && !n.slot.active || !n.alive {
		return 0, false
	}
	e := &n.mem.entries[kind]
	if !n.mem.live(kind) || e.Tombstone {
		return 0, false
	}
	return e.Value[0], true
}

func (e *encoder) node(n *node) {
	if !n.alive {
		e.u8(0)
		return
	}
	e.u8(1 + n.at)
	e.slot(&n.slot)
	e.clears(&n.clears)
	e.memory(&n.mem)
	e.generation(n.gen.now)
	e.num(n.clock.last)
	e.u8(n.gone)
	e.u8(n.copied)
	if n.mem.has[cache.Near] {
		e.term(n.lent)
	}
	e.bit(n.get.open)
	if n.get.open {
		e.num(uint64(n.get.call))
		e.u8(n.get.target)
		e.u8(n.get.stale)
		e.u8(n.get.older)
		e.bit(n.get.fill.epoch == n.slot.epoch)
	}
	for _, l := range n.loads {
		e.num(l.id)
		e.u8(l.w)
	}
	e.u8(n.again)
}

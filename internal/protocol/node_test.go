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

// node is a member with its slot and what that stands on. It is not changed once
// it is part of a world: a step works on a clone.
type node struct {
	sh     Shared
	slot   Slot
	clears Clears
	mem    memory
	gen    generations
	clock  logical

	alive  bool
	at     uint8 // its place in its own order of tables
	lent   Term  // under which the near copy was lent
	lentBy uint8 // and what that was known to (split_test.go)

	// Of one in a store:
	id           uint32
	hash         uint64
	served, near uint8  // the value that a read finds without asking, as a set
	values       uint8  // that it has, or is asked to write
	wrong        string // what it has counted wrong
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
	e.num(uint64(n.sh.Self))
	e.bit(n.slot.table != nil)
	e.slot(&n.slot)
	e.clears(&n.clears)
	e.memory(&n.mem)
	e.generation(n.gen.now)
	e.num(n.clock.last)
	if n.mem.has[cache.Near] {
		e.term(n.lent)
		e.u8(n.lentBy)
	}
	if n.clock.told > n.clock.last {
		e.num(n.clock.told)
	}
	if n.sh.Fenced && n.slot.table != nil {
		e.bit(n.slot.table.Barred > now)
		e.num(uint64(n.slot.activated))
	}
}

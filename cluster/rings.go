package cluster

import (
	"context"
	"slices"
	"sync"
)

// rings keeps the last few rings. To make one takes longer than all else at a
// change of tables, during which calls wait; so a ring that is about to be
// needed is made ahead.
type rings struct {
	mu     sync.Mutex // guards recent; held while a ring is made, which others may wait for
	recent []*layout  // the last used at the end
}

const maxRings = 8

// layout is a ring, and which of its slots have the same holders: there are far
// fewer lists of holders than slots. It is immutable.
type layout struct {
	*ring
	lists [][]uint16 // each once
	list  []uint16   // for each slot, an index into lists
}

func newLayout(r *ring) *layout {
	l := &layout{ring: r, list: make([]uint16, slotCount)}
	known := make(map[uint64]uint16)
	for slot := range l.list {
		o := r.owners(slot)
		i, ok := known[packed(o)]
		if !ok {
			i = uint16(len(l.lists))
			known[packed(o)] = i
			l.lists = append(l.lists, o)
		}
		l.list[slot] = i
	}
	return l
}

var _ [1<<16 - slotCount]struct{} // what an index into lists has room for

// packed makes one number of a slot's holders.
func packed(holders []uint16) uint64 {
	p := uint64(0)
	for _, h := range holders {
		p = p<<16 | uint64(h)
	}
	return p
}

var _ [4 - (MaxBackups + 1)]struct{} // what packed has room for

// of returns the ring of those names, with so many backups.
func (r *rings) of(names []string, backups int) *layout {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.recent, func(o *layout) bool { return o.width == min(backups+1, len(names)) && slices.Equal(o.names, names) })
	var found *layout
	if i >= 0 {
		found = r.recent[i]
		r.recent = slices.Delete(r.recent, i, i+1)
	} else {
		found = newLayout(newRing(names, backups))
		if len(r.recent) == maxRings {
			r.recent = slices.Delete(r.recent, 0, 1)
		}
	}
	r.recent = append(r.recent, found)
	return found
}

// ringAhead makes, in a goroutine that ends then, the ring that will be needed
// when a joining member turns active, which wants so many backups, or an active
// one is gone.
func (n *Node) ringAhead(member string, backups int, leaves bool) {
	v := n.members.view.Load()
	if slices.Contains(v.ring.names, member) != leaves {
		return
	}
	next := slices.Clone(v.ring.names)
	if leaves {
		next = slices.DeleteFunc(next, func(name string) bool { return name == member })
	} else {
		next = append(next, member)
	}
	n.spawn(func(context.Context) { n.rings.of(next, max(backups, v.backups)) })
}

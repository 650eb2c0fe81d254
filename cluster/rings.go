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
	recent []*ring    // the last used at the end
}

const maxRings = 8

// of returns the ring of those names, with so many backups.
func (r *rings) of(names []string, backups int) *ring {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.recent, func(o *ring) bool { return o.width == min(backups+1, len(names)) && slices.Equal(o.names, names) })
	var found *ring
	if i >= 0 {
		found = r.recent[i]
		r.recent = slices.Delete(r.recent, i, i+1)
	} else {
		found = newRing(names, backups)
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

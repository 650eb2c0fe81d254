package cluster

import (
	"slices"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// view is one table as a node uses it: who owns which slot, and how to reach
// whom. It is immutable, and read through one atomic pointer.
type view struct {
	table   *protocol.Table
	ring    *layout
	holders []holder      // beside ring.names
	owned   int           // slots that are this node's
	backing int           // slots that it keeps a copy of for another
	backups int           // that the members want
	replace chan struct{} // closed when another view has taken its place
}

type holder struct {
	id   protocol.Member
	name string
	link *link // nil: this node
}

// owner returns the slot's owner; ok is false where there is nobody.
func (v *view) owner(slot int) (h holder, ok bool) {
	o := v.ring.owners(slot)
	if len(o) == 0 {
		return holder{}, false
	}
	return v.holders[o[0]], true
}

// newView makes the table of members, which are the active and leaving ones
// known to this node, and of those that are still joining.
func newView(self protocol.Member, members, joiners []record, lastNear time.Duration, rings *rings, links func(protocol.Member) *link) (v *view, near time.Duration) {
	v = &view{replace: make(chan struct{})}
	t := &protocol.Table{Digest: digestOf(members)}
	byName := make(map[string]protocol.Member)
	var names []string
	for i := range members {
		m := &members[i]
		t.Members = append(t.Members, m.ID)
		near = max(near, m.Near)
		if m.State != active {
			continue
		}
		t.Active = append(t.Active, m.ID)
		v.backups = max(v.backups, int(m.Backups))
		// Of two runs under one name, every node takes the same.
		if other, ok := byName[m.Name]; !ok || m.ID > other {
			byName[m.Name] = m.ID
		}
		names = append(names, m.Name)
	}
	t.Reach = append(t.Reach, t.Members...)
	for i := range joiners {
		t.Reach = append(t.Reach, joiners[i].ID)
		near = max(near, joiners[i].Near)
	}
	t.MaxNear = max(near, lastNear)
	v.ring = rings.of(names, v.backups)
	for _, name := range v.ring.names {
		h := holder{id: byName[name], name: name}
		if h.id != self {
			h.link = links(h.id)
		}
		v.holders = append(v.holders, h)
	}
	// All slots with the same holders share one list of them: the slots keep parts
	// of it after the view is gone.
	lists := make([][]protocol.Member, len(v.ring.lists))
	for i, holders := range v.ring.lists {
		for _, h := range holders {
			lists[i] = append(lists[i], v.holders[h].id)
		}
	}
	slots := make([]int, len(lists))
	for _, i := range v.ring.list {
		slots[i]++
	}
	for i, list := range lists {
		switch at := slices.Index(list, self); {
		case at == 0:
			v.owned += slots[i]
		case at > 0:
			v.backing += slots[i]
		}
	}
	list := v.ring.list
	t.Place = func(slot int) []protocol.Member { return lists[list[slot]] }
	v.table = t
	return v, near
}

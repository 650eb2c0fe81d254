package cluster

import (
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// view is one table as a node uses it: who owns which slot, and how to reach
// whom. It is immutable, and read through one atomic pointer.
type view struct {
	table   *protocol.Table
	ring    *ring
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
	places := make(map[uint64][]protocol.Member)
	for slot := range slotCount {
		o := v.ring.owners(slot)
		key := packed(o)
		if places[key] == nil {
			list := make([]protocol.Member, len(o))
			for i := range o {
				list[i] = v.holders[o[i]].id
			}
			places[key] = list
		}
		for i := range o {
			switch {
			case v.holders[o[i]].id != self:
			case i == 0:
				v.owned++
			default:
				v.backing++
			}
		}
	}
	ring := v.ring
	t.Place = func(slot int) []protocol.Member { return places[packed(ring.owners(slot))] }
	v.table = t
	return v, near
}

// packed makes one number of a slot's holders. All slots with the same holders
// share one list of them: the slots keep parts of it after the view is gone.
func packed(holders []uint16) uint64 {
	p := uint64(0)
	for _, h := range holders {
		p = p<<16 | uint64(h)
	}
	return p
}

var _ [4 - (MaxBackups + 1)]struct{} // what packed has room for

package cluster

import (
	"cmp"
	"slices"

	"github.com/peercache/peercache/internal/protocol"
)

// relink opens links to new members and closes those to members that are gone.
func (r *roster) relink() {
	old := *r.linked.Load()
	links := make(map[protocol.Member]*link, len(r.others))
	for id, o := range r.others {
		l := old[id]
		if l == nil || l.addr != o.Peer {
			if l != nil {
				l.close()
			}
			l = r.node.newLink(o.record)
		}
		links[id] = l
	}
	for id, l := range old {
		if links[id] == nil {
			l.close()
		}
	}
	r.linked.Store(&links)
}

// remake makes the table anew and gives it to the slots, where it differs or
// a stranger is in it.
func (r *roster) remake(stranger bool) []*step {
	var members, joiners []record
	if r.self.inTable() {
		members = append(members, r.self)
	}
	for _, o := range r.others {
		switch {
		case !o.inTable():
			joiners = append(joiners, o.record)
		case o.met || !r.self.inTable():
			members = append(members, o.record)
		}
	}
	slices.SortFunc(joiners, func(a, b record) int { return cmp.Compare(a.ID, b.ID) })
	old, gone := r.view.Load(), r.voided
	r.voided = 0
	v, near := newView(r.self.ID, members, joiners, r.near, &r.node.rings, r.link)
	if !stranger && v.table.Digest == old.table.Digest && slices.Equal(v.table.Reach, old.table.Reach) {
		return nil
	}
	r.near = near
	if r.node.cfg.Fence > 0 {
		v.table.Lost = r.lost
		if r.lost >= 0 {
			v.table.Barred = r.lost + FenceFor + fenceMargin
		}
	}
	r.view.Store(v)
	r.node.standing.seats(v.table.Members, r.self.ID)
	r.node.handing.Add(int64(lostTo(old, v, r.self.ID)))
	steps := r.node.switchSlots(v.table, stranger, gone)
	if stranger { // what was revoked meanwhile did not reach this node
		r.node.dropNear()
		r.node.pace.hurry(r.node.clock.now())
	}
	close(old.replace)
	r.node.progress()
	return steps
}

// lostTo counts the slots that a node has by one view and no longer by the next.
func lostTo(old, next *view, self protocol.Member) int {
	if old.ring == next.ring {
		return 0
	}
	lost := 0
	for slot := range slotCount {
		h, had := old.owner(slot)
		now, has := next.owner(slot)
		if had && h.id == self && has && now.id != self {
			lost++
		}
	}
	return lost
}

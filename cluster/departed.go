package cluster

import (
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// departed is a member that is no more.
type departed struct {
	record
	inOrder bool // its process is gone for good
	said    bool // it has said so itself
	refused bool // nobody listens at its address, see gone.go
	named   bool // gossip takes it for a member still
	again   bool // a process of its name runs at its address
	proving bool // it is being looked for, see gone.go
	at      time.Duration
	drops
}

// drops is how often two members have taken each other out of their tables
// without a word of the other's. Who was taken out must take all its slots again
// before it comes back, once for each time; so each tells the other its count
// until the other has heard of it.
type drops struct {
	mine   uint64 // this node took the other out
	theirs uint64 // the other took this node out, as far as that has been acted upon
}

// drop takes a member out; how it went is in g. It is called with mu held.
func (r *roster) drop(id protocol.Member, g departed) bool {
	o := r.others[id]
	if o == nil {
		if old, known := r.gone[id]; known {
			old.inOrder, old.said = old.inOrder || g.inOrder, old.said || g.said
			old.named = old.named && g.named
			r.gone[id] = old
		} else if g.inOrder {
			g.record = record{ID: id, State: left}
			r.remember(g)
		}
		return false
	}
	delete(r.others, id)
	delete(r.kin, id)
	g.record, g.drops, g.again = o.record, o.drops, r.replaced(&o.record)
	if o.inTable() && !g.inOrder {
		g.mine++
	}
	if o.inTable() && !g.said {
		r.lost = r.node.clock.now()
		r.node.pace.hurry(r.lost)
	}
	// Also with its word: its backups, or who else has its versions, may be away.
	r.node.clock.Observe(o.told)
	r.remember(g)
	r.miss(r.node.clock.now())
	r.node.events.departed(&o.record, g.inOrder)
	return true
}

// remember notes that a member is gone. Where there are too many the oldest is
// forgotten, of those that have left in order first.
func (r *roster) remember(gone departed) {
	if len(r.gone) >= maxGone {
		var oldest protocol.Member
		for id, g := range r.gone {
			o, any := r.gone[oldest]
			if !any || g.inOrder && !o.inOrder || g.inOrder == o.inOrder && g.at < o.at {
				oldest = id
			}
		}
		delete(r.gone, oldest)
	}
	gone.at = r.node.clock.now()
	r.gone[gone.ID] = gone
}

// Failed and left members, as gossip tells it.
func (r *roster) depart(id protocol.Member, inOrder bool) {
	r.departAs(id, departed{inOrder: inOrder, said: inOrder})
}

func (r *roster) departAs(id protocol.Member, g departed) {
	r.mu.Lock()
	r.settle(r.drop(id, g), false)
}

// departed tells whether a member is known to be no more.
func (r *roster) departed(id protocol.Member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, gone := r.gone[id]
	return gone && r.others[id] == nil
}

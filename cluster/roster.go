package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// roster is what a node knows of the members, and the table made from it.
//
// What is known comes from gossip, from the members themselves (who tell
// everybody directly how far they are) and from exchanges of whole lists, when
// two nodes notice that their tables differ. A member that only an exchange
// has named is forgotten again unless gossip confirms it.
type roster struct {
	node *Node
	view atomic.Pointer[view]
	// linked has the link to every other member. It is replaced, never changed.
	linked atomic.Pointer[map[protocol.Member]*link]

	// mu guards what follows. It is held while the slots switch tables, and
	// taken before any part's lock. It is never held across the network.
	mu     sync.Mutex
	self   record
	others map[protocol.Member]*other
	gone   map[protocol.Member]departed
	// kin are those that were in this node's table when it became active: no
	// slot is served by one of the two without the other's grant.
	kin  map[protocol.Member]bool
	near time.Duration // the last table's longest NearTTL
	// lost is when a member was last taken out of the table that had not said
	// that it leaves; below zero: never.
	lost time.Duration

	nextTick time.Duration
	forgetAt time.Duration               // when nobody is missed any longer
	missedBy map[protocol.Member]absence // those whom others miss
	sought   bool                        // this node's Join names somebody who was never found
	voided   protocol.Member             // whose leases end with the table that is about to be made, see refuse
}

// other is another member.
type other struct {
	record
	gossiped bool          // gossip has named it
	doubted  bool          // gossip takes it for dead, see doubt.go
	until    time.Duration // when it is forgotten if gossip does not
	met      bool          // may be in the table, see meet.go
	meeting  bool          // is being asked
	dropped  bool          // was out of the table before, having been in it
	stranger bool          // served without this node, and all was taken again for it
	told     uint64        // how far it may count for all that this node has confirmed, see announce.go
	drops                  // how often either took the other for dead
}

const (
	// hearsay is how long a member counts that gossip has not named.
	hearsay = 15 * time.Second
	// remembered is how long it is known of a member that it has left. That one
	// was taken for dead is remembered for as long as there is room: it may live,
	// and come back when its process or its network goes on.
	remembered = 10 * time.Minute
	maxGone    = 4096
	rosterTick = 100 * time.Millisecond
)

func newRoster(n *Node, self record) *roster {
	r := &roster{
		node: n, self: self,
		others: make(map[protocol.Member]*other),
		gone:   make(map[protocol.Member]departed),
		kin:    make(map[protocol.Member]bool),
		lost:   -1,

		missedBy: make(map[protocol.Member]absence),
	}
	r.linked.Store(&map[protocol.Member]*link{})
	v, _ := newView(self.ID, nil, nil, 0, &n.rings, nil)
	r.view.Store(v)
	return r
}

// link returns the way to a member; nil where it is not one.
func (r *roster) link(m protocol.Member) *link { return (*r.linked.Load())[m] }

// source says from whom something about a member is known.
type source uint8

const (
	fromGossip source = iota
	fromItself
	fromOthers
	fromProof // it has just answered at its address
)

// learn takes in what somebody said about members.
func (r *roster) learn(src source, records ...record) {
	r.mu.Lock()
	changed := false
	for i := range records {
		changed = r.learnOne(src, &records[i]) || changed
	}
	r.settle(changed, false)
}

func (r *roster) learnOne(src source, rec *record) bool {
	if rec.ID == r.self.ID || rec.Speaks.Major != spoken.Major {
		return false
	}
	if rec.State == left {
		return r.drop(rec.ID, departed{inOrder: true, said: true})
	}
	g, wasGone := r.gone[rec.ID]
	if wasGone && (g.inOrder || src == fromOthers) {
		return false
	}
	if wasGone && g.refused && src != fromProof {
		r.prove(&g, rec, src == fromGossip)
		return false
	}
	delete(r.gone, rec.ID)
	o := r.others[rec.ID]
	isNew := o == nil
	if isNew {
		o = &other{record: *rec, until: r.node.clock.now() + hearsay, dropped: wasGone && g.State >= active, drops: g.drops}
		r.others[rec.ID] = o
		if src != fromOthers {
			r.back(rec)
		}
		r.node.events.joined(&o.record)
		if o.State == joining {
			r.node.ringAhead(o.Name, int(o.Backups), false)
		}
	}
	o.gossiped = o.gossiped || src == fromGossip || src == fromProof && g.named
	if src == fromGossip {
		o.doubted = false
	}
	before := o.record
	o.State = max(o.State, rec.State)
	if src != fromOthers {
		o.Gossip, o.Peer, o.Near, o.Backups, o.Seeks = rec.Gossip, rec.Peer, rec.Near, rec.Backups, rec.Seeks
	}
	return isNew || o.record != before
}

// settle makes links and a table of what is known now, and unlocks mu.
func (r *roster) settle(changed, stranger bool) {
	var steps []*step
	if changed {
		r.relink()
		steps = r.remake(stranger)
	}
	ask := r.unmet()
	r.mu.Unlock()
	for _, st := range steps {
		r.node.act(st)
	}
	if len(steps) > 0 {
		r.node.pings(nil)
	}
	for _, rec := range ask {
		r.node.meetSoon(rec)
	}
}

// records lists this node and all others, and those known to have left.
func (r *roster) records() []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []record{r.self}
	for _, o := range r.others {
		list = append(list, o.record)
	}
	for _, g := range r.gone {
		if g.said && g.Name != "" && len(list) < 1024 {
			g.State = left
			list = append(list, g.record)
		}
	}
	return list
}

// nobody tells whether no other member is active or leaving, and the lowest
// incarnation among those that are joining.
func (r *roster) nobody() (alone bool, lowest protocol.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	alone, lowest = true, r.self.ID
	for id, o := range r.others {
		alone = alone && !o.inTable()
		lowest = min(lowest, id)
	}
	return alone, lowest
}

// tick forgets hearsay that gossip has not confirmed, and the departed.
func (r *roster) tick() {
	r.mu.Lock()
	now := r.node.clock.now()
	if now < r.nextTick {
		r.mu.Unlock()
		return
	}
	r.nextTick = now + rosterTick
	changed := false
	for id, o := range r.others {
		if !o.gossiped && now >= o.until {
			changed = r.drop(id, departed{}) || changed
		}
	}
	for id, g := range r.gone {
		if now >= g.at+remembered && (g.inOrder || g.State < active) {
			delete(r.gone, id)
		}
	}
	news := r.seekOn(now)
	r.miss(now)
	r.settle(changed, false)
	if news {
		r.node.spreadState()
	}
}

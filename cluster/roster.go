package cluster

import (
	"cmp"
	"slices"
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
	forgetAt time.Duration // when nobody is missed any longer
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
	drops                  // how often either took the other for dead
}

// drops is how often two members have taken each other out of their tables
// without a word of the other's. Who was taken out must take all its slots again
// before it comes back, once for each time; so each tells the other its count
// until the other has heard of it.
type drops struct {
	mine   uint64 // this node took the other out
	theirs uint64 // the other took this node out, as far as that has been acted upon
}

// departed is a member that is no more.
type departed struct {
	record
	inOrder bool // its process is gone for good
	said    bool // it has said so itself
	refused bool // nobody listens at its address, see gone.go
	named   bool // gossip takes it for a member still
	proving bool // it is being looked for, see gone.go
	at      time.Duration
	drops
}

const (
	// hearsay is how long a member counts that gossip has not named.
	hearsay = 15 * time.Second
	// remembered is how long it is known of a member that it has left. That one
	// was taken for dead is remembered for as long as there is room: it may live,
	// and come back when its process or its network goes on.
	remembered = 10 * time.Minute
	maxGone    = 4096
	// missedFor is how long a member may be away and find, when it comes back, that
	// all deletions are known. Gossip looks for it as long.
	missedFor = 24 * time.Hour
	// missedAfter is how much longer they are remembered once it is back: until all
	// has become one again.
	missedAfter = time.Minute
	rosterTick  = 100 * time.Millisecond
)

func newRoster(n *Node, self record) *roster {
	r := &roster{
		node: n, self: self,
		others: make(map[protocol.Member]*other),
		gone:   make(map[protocol.Member]departed),
		kin:    make(map[protocol.Member]bool),
		lost:   -1,
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
		o.Gossip, o.Peer, o.Near, o.Backups = rec.Gossip, rec.Peer, rec.Near, rec.Backups
	}
	return isNew || o.record != before
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
	g.record, g.drops = o.record, o.drops
	if o.inTable() && !g.inOrder {
		g.mine++
	}
	if o.inTable() && !g.said {
		r.lost = r.node.clock.now()
	}
	r.remember(g)
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
	old := r.view.Load()
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
	steps := r.node.switchSlots(v.table, stranger)
	if stranger { // what was revoked meanwhile did not reach this node
		r.node.dropNear()
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

// advance moves this node on to a state, if it is not that far.
func (r *roster) advance(to state) {
	r.move(to, func(s state) bool { return s < to })
}

// quitJoining makes a node that is joining still one that has left, and tells
// whether it was: it has nothing to hand over, and does not turn active any more.
func (r *roster) quitJoining() bool {
	return r.move(left, func(s state) bool { return s == joining })
}

// move changes this node's state where the one that it has allows it, and tells
// everybody.
func (r *roster) move(to state, allowed func(state) bool) bool {
	moved := r.turn(to, allowed)
	if moved {
		r.node.spreadState()
	}
	return moved
}

// turn is move without gossip. Who is active at the moment when this node becomes
// so is kin.
func (r *roster) turn(to state, allowed func(state) bool) bool {
	r.mu.Lock()
	if !allowed(r.self.State) {
		r.mu.Unlock()
		return false
	}
	r.self.State = to
	if to == active {
		for id, o := range r.others {
			if o.inTable() {
				o.met = true
				r.kin[id] = true
			}
		}
	}
	told := to != left
	if told {
		r.tellState() // before the takes that follow
	}
	r.settle(true, false)
	if !told { // not before this node has stopped to serve
		r.mu.Lock()
		r.tellState()
		r.mu.Unlock()
	}
	return true
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

// me returns this node's own record.
func (r *roster) me() record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self
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
		if !g.inOrder && g.State >= active && now < g.at+missedFor {
			r.forgetAt = now + missedAfter
		}
		if now >= g.at+remembered && (g.inOrder || g.State < active) {
			delete(r.gone, id)
		}
	}
	r.node.store.Remember(now < r.forgetAt)
	r.settle(changed, false)
}

// tellState tells every member directly how far this node is. It is called with
// mu held.
func (r *roster) tellState() {
	served := r.node.served.Load()
	for id, l := range *r.linked.Load() {
		if o := r.others[id]; o != nil {
			l.putState(&r.self, terms{kin: r.kin[id], served: served, drops: o.mine})
		}
	}
}

// setGossip notes the address that this node's gossip has.
func (r *roster) setGossip(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.self.Gossip = addr
}

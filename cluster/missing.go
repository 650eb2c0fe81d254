package cluster

import (
	"encoding/binary"
	"time"
)

// A member that was taken out without its word may live, and come back without having
// heard of what was deleted and cleared meanwhile. While anybody is missed so, the
// store remembers more of that (cache.Store.Remember). Who joins meanwhile does not
// know of it: so members tell each other whom they miss, with all else that they know.
// Who is named in a member's Config.Join and has never been found is missed too, by all:
// there may be others who have begun without these. A member's record says so.

const (
	// missedFor is how long a member may be away and find, when it comes back, that
	// all deletions are known. Gossip looks for it as long.
	missedFor = 24 * time.Hour
	// missedAfter is how much longer they are remembered once it is back: until all
	// has become one again.
	missedAfter = time.Minute
)

// absence is somebody who is missed.
type absence struct {
	record
	until time.Duration // on this node's clock
}

// missed tells until when a member is; it is over where it is not at all.
func (g *departed) missed() time.Duration {
	if g.inOrder || g.again || g.State < active {
		return 0
	}
	return g.at + missedFor
}

// missing lists who is missed. It is called with mu held.
func (r *roster) missing(now time.Duration) (list []absence) {
	for _, a := range r.missedBy {
		if now < a.until {
			list = append(list, a)
		}
	}
	for _, g := range r.gone {
		if until := g.missed(); now < until {
			list = append(list, absence{g.record, until})
		}
	}
	return list
}

// misses tells whether anybody is, one that is back included until it has been met. It
// is called with mu held.
func (r *roster) misses(now time.Duration) bool {
	for _, g := range r.gone {
		if now < g.missed() {
			return true
		}
	}
	for _, a := range r.missedBy {
		if now < a.until {
			return true
		}
	}
	for _, o := range r.others {
		if o.dropped && !o.met || o.Seeks {
			return true
		}
	}
	return r.sought
}

// miss lets the store remember while anybody is missed. It is called with mu held, and
// before a table without the member is made: a Clear that does not wait for it any
// longer is one of those.
func (r *roster) miss(now time.Duration) {
	if r.misses(now) {
		r.forgetAt = now + missedAfter
	}
	r.node.store.Remember(now < r.forgetAt)
}

// missSoon is miss for a member that is about to be taken out.
func (r *roster) missSoon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetAt = r.node.clock.now() + missedAfter
	r.node.store.Remember(true)
}

// seek notes that there may be others who have not been found.
func (r *roster) seek() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sought = true
	r.miss(r.node.clock.now())
}

// seekFor is how long a node seeks before it tells others of it: most have found all in
// less.
const seekFor = 10 * time.Second

// seekOn looks whether somebody is sought still, and tells whether others are to hear
// news of that. It is called with mu held.
func (r *roster) seekOn(now time.Duration) (news bool) {
	r.sought = r.sought && now < missedFor && r.node.gossip.Sought()
	seeks := r.sought && now >= seekFor && r.self.inTable()
	news = seeks != r.self.Seeks
	r.self.Seeks = seeks
	return news
}

// runsAgain tells whether another record is of the same name, and of a process that is
// where this one's was: who has the address shows that the other is gone.
func (rec *record) runsAgain(other *record) bool {
	return rec.Name == other.Name && (rec.Gossip == other.Gossip || rec.Peer == other.Peer)
}

// back notes that a member is here, or that another run of it is where it was: that one
// is gone for good. It is called with mu held.
func (r *roster) back(rec *record) {
	for id, g := range r.gone {
		if id != rec.ID && g.runsAgain(rec) {
			g.again = true
			r.gone[id] = g
		}
	}
	for id, a := range r.missedBy {
		if id == rec.ID || a.runsAgain(rec) {
			delete(r.missedBy, id)
		}
	}
}

// maxMissing bounds the list that members tell each other.
const maxMissing = 1024

// appendMissing encodes who is missed, and for how much longer.
func (r *roster) appendMissing(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.node.clock.now()
	list := r.missing(now)
	list = list[:min(len(list), maxMissing)]
	b = binary.AppendUvarint(b, uint64(len(list)))
	for i := range list {
		b = appendDuration(list[i].append(b), list[i].until-now)
	}
	return b
}

// missing decodes what appendMissing has written; nodes before 1.1 have not.
func (d *decoder) missing(now time.Duration) (list []absence) {
	if len(d.b) == 0 {
		return nil
	}
	for range min(d.count(14), maxMissing) {
		rec := d.record()
		list = append(list, absence{rec, now + min(d.duration(), missedFor)})
	}
	return list
}

// missToo takes in whom another node misses, but for those who are here.
func (r *roster) missToo(list []absence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.node.clock.now()
	for id, a := range r.missedBy {
		if now >= a.until {
			delete(r.missedBy, id)
		}
	}
	for _, a := range list {
		if r.knows(&a.record) || len(r.missedBy) >= maxMissing {
			continue
		}
		a.until = max(a.until, r.missedBy[a.ID].until)
		r.missedBy[a.ID] = a
	}
	r.miss(now)
}

// knows tells whether this node knows better whether a member is missed. It is called
// with mu held.
func (r *roster) knows(rec *record) bool {
	_, known := r.gone[rec.ID]
	return known || rec.ID == r.self.ID || r.others[rec.ID] != nil || r.replaced(rec)
}

// replaced tells whether another run of a member is where it was. It is called with mu
// held.
func (r *roster) replaced(rec *record) bool {
	for _, o := range r.others {
		if o.ID != rec.ID && o.runsAgain(rec) {
			return true
		}
	}
	return r.self.runsAgain(rec)
}

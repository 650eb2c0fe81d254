package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// collect makes the copies that count this node's own. It returns false while
// contents are still to be fetched.
func (s *Slot) collect(now time.Duration, out *Out) bool {
	t, mem := s.take, s.sh.Memory
	own := t.gave(s.sh.Self)
	if g := &t.grants; len(*g) == 1 && !own && (*g)[0].content == nil && (*g)[0].have == mem.Digest(s.num, cache.OwnedOnly) {
		mem.RaiseFloor(s.num, (*g)[0].floor)
		return true // what this node has does not count, but is the same
	}
	if !own {
		mem.DropSlot(s.num, cache.OwnedOnly)
	}
	if len(t.grants) == 1 && !own && t.grants[0].content == nil {
		g := &t.grants[0]
		if g.have == mem.Digest(s.num, cache.StagedOnly) {
			s.promote(g.have)
			mem.RaiseFloor(s.num, g.floor)
			return true
		}
		s.fetch(g, false, out)
		return false
	}
	mem.DropSlot(s.num, cache.StagedOnly)
	if !own {
		t.floor = mem.Floor(s.num)
	}
	s.dropBelowFloors(now)
	for i := range t.grants {
		g := &t.grants[i]
		switch {
		case g.from == s.sh.Self:
		case g.content == nil && g.have.Count > 0:
			s.fetch(g, true, out)
		default:
			s.merge(g, g.content, now)
			g.content = nil
		}
	}
	if len(t.fetching) > 0 {
		return false
	}
	s.raiseFloors()
	return true
}

func (s *Slot) fetch(g *grant, all bool, out *Out) {
	s.take.fetching = append(s.take.fetching, g.from)
	out.Fetches = append(out.Fetches, Fetch{Slot: s.num, From: g.from, Nonce: s.take.nonce, All: all})
}

// Wants tells whether what a Fetch asks for is still wanted.
func (s *Slot) Wants(f Fetch) bool {
	return s.fills(f) || s.take != nil && s.take.nonce == f.Nonce && contains(s.take.fetching, f.From)
}

// fills tells whether a Fetch is for this backup's copy.
func (s *Slot) fills(f Fetch) bool {
	y := s.filling
	return y != nil && f.Nonce == y.Nonce && f.From == y.Term.Raiser
}

// Fetched takes a piece of a giver's content. It returns false where the fetch is no
// longer wanted.
func (s *Slot) Fetched(f Fetch, p *Piece, now time.Duration, out *Out) bool {
	if !s.Wants(f) {
		return false
	}
	if s.fills(f) {
		s.filling.Floor = max(s.filling.Floor, p.Floor)
		s.dropStaged(p.Gone)
		s.fillWith(p.Items, now)
		if p.Last {
			s.fill(out)
		}
		return true
	}
	t := s.take
	for i := range t.grants {
		if g := &t.grants[i]; g.from == f.From {
			if p.Floor > g.floor && len(t.grants) > 1 && !s.sh.off.pieceFloor {
				t.rose = max(t.rose, p.Floor)
			}
			if !s.sh.off.pieceFloor {
				g.floor = max(g.floor, p.Floor)
			}
			if f.All {
				s.merge(g, p.Items, now)
			}
		}
	}
	if !f.All {
		s.dropStaged(p.Gone)
		s.putStaged(p.Items, now)
	}
	if !p.Last {
		return true
	}
	t.fetching = without(t.fetching, f.From)
	if len(t.fetching) > 0 {
		return true
	}
	if !f.All {
		s.promote(t.grants[0].have)
	}
	s.buryBelow(t.rose, now)
	s.raiseFloors()
	s.collected(now, out)
	return true
}

// promote makes what is staged this node's copy. Where that is not what it was
// to be, since something did not fit or has expired, the floor says that
// anything may have been there.
func (s *Slot) promote(want cache.Digest) {
	mem := s.sh.Memory
	mem.Promote(s.num)
	if mem.Digest(s.num, cache.OwnedOnly) != want {
		mem.RaiseFloor(s.num, s.sh.Clock.Now())
	}
}

// dropStaged drops what the giver does not have. Of a key of which it has another
// entry, what is staged goes first: the other may not fit.
func (s *Slot) dropStaged(gone []cache.Ref) {
	for _, ref := range gone {
		s.sh.Memory.Drop(ref, cache.StagedOnly)
	}
}

// merge takes over items of a giver, by version. What is dead by a clear leaves its
// version: somebody who has not cleared, or has written since, may have something older.
// Between two lineages, what is not above the other's floor may have been deleted or
// overwritten there by something that is no longer known. That floor holds as well for what
// was evicted here, or did not fit, while they were merged: to make room for any of
// them, or for another slot's, what kept the next one out may just have gone.
func (s *Slot) merge(g *grant, items []Item, now time.Duration) {
	mem, floor := s.sh.Memory, s.take.foreignFloor(g.term)
	several := len(s.take.grants) > 1 // of one lineage only if the owner's last writes are not everywhere
	below := func(version uint64) bool {
		if raised := mem.Floor(s.num); several && raised > s.take.floor && !s.sh.off.mergeFloor {
			floor = max(floor, raised)
		}
		return version <= floor
	}
	for i := range items {
		it := &items[i]
		if below(it.Version) || s.cleared(it) {
			s.bury(it.Ref, it.Version, now)
			continue
		}
		if _, err := mem.Put(it.Ref, it.entry(cache.Owned, now)); err != nil {
			s.lose(it.Ref, it.Version)
		} else if below(it.Version) {
			if e, ok := mem.Peek(it.Ref, cache.Owned); ok && e.Version == it.Version {
				mem.Drop(it.Ref, cache.OwnedOnly)
			}
			s.bury(it.Ref, it.Version, now)
		}
	}
}

// lose notes that something of that version cannot be kept: nothing older is left in
// its place, nor comes there from elsewhere.
func (s *Slot) lose(ref cache.Ref, version uint64) {
	if e, ok := s.sh.Memory.Peek(ref, cache.Owned); !ok || e.Version < version {
		s.sh.Memory.Drop(ref, cache.OwnedOnly)
		s.sh.Memory.RaiseFloor(s.num, version)
	}
}

// bury leaves a tombstone in the place of what a floor or a clear has dropped: it
// may itself have overwritten something older that another lineage still has.
func (s *Slot) bury(ref cache.Ref, version uint64, now time.Duration) {
	e := cache.Entry{Kind: cache.Owned, Tombstone: true, Version: version, Generation: s.sh.Generations.Of(ref.Cache).Count, Expires: now + s.sh.Tombstone}
	if _, err := s.sh.Memory.Put(ref, e); err != nil {
		s.lose(ref, version)
	}
}

// cleared tells whether an item is dead by a clear.
func (s *Slot) cleared(it *Item) bool {
	return it.Count < s.sh.Generations.Of(it.Ref.Cache).Count && (!it.Tombstone || it.Negative)
}

// foreignFloor returns the highest floor among the copies of other lineages
// than the term's.
func (t *take) foreignFloor(term Term) uint64 {
	floor := uint64(0)
	for i := range t.grants {
		if t.grants[i].term != term {
			floor = max(floor, t.grants[i].floor)
		}
	}
	return floor
}

// dropBelowFloors applies the other lineages' floors to this node's own copy,
// where it counts.
func (s *Slot) dropBelowFloors(now time.Duration) {
	if s.take.gave(s.sh.Self) {
		s.buryBelow(s.take.foreignFloor(s.term), now)
	}
}

// buryBelow buries what this node has and is not above a floor.
func (s *Slot) buryBelow(floor uint64, now time.Duration) {
	if floor == 0 {
		return
	}
	for _, it := range s.sh.Memory.AppendSlot(nil, s.num, cache.OwnedOnly) {
		if it.Entry.Version <= floor {
			s.sh.Memory.Drop(it.Ref, cache.OwnedOnly)
			s.bury(it.Ref, it.Entry.Version, now)
		}
	}
}

func (s *Slot) raiseFloors() {
	for i := range s.take.grants {
		s.sh.Memory.RaiseFloor(s.num, s.take.grants[i].floor)
	}
}

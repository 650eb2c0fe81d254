package protocol

import (
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
)

// syncing is how an owner brings its backups up to date: before it begins to
// serve, and when the table gives it others. It raises the term and sends Sync
// to each; what they had before is replaced. When all have answered it takes
// back, in the same way, the copies of those that are backups no longer. Until
// then it gives no write a version, so that no copy of an earlier term misses
// anything that a later one has.
//
// Reads go on meanwhile, where the slot was served before.
type syncing struct {
	nonce   uint64 // 0: replications under way end first
	waiting []Member
	alike   []Member // who have had the same content already
	freeing bool     // the backups have it; those of earlier terms give up theirs
	held    bool     // it is to begin later, see pace.go
	resend  repeat
}

// resync notes that the backups of a slot that this node serves have changed.
func (s *Slot) resync() {
	if !s.active || s.owner != s.sh.Self {
		return
	}
	if s.sync == nil && sameMembers(s.synced, s.backups) {
		return
	}
	s.sync = &syncing{held: s.sh.Paced && s.writing == 0}
	s.drained = !s.sync.held // for afterDrain, if none is under way
}

func sameMembers(a, b []Member) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(m Member) bool { return !contains(b, m) })
}

// beginSync raises the term and sends the slot to its backups.
func (s *Slot) beginSync(now time.Duration, out *Out) {
	alike := s.alike()
	s.nonces++
	s.raise(s.nonces)
	s.sync = &syncing{nonce: s.nonces, waiting: slices.Clone(s.backups), alike: alike}
	for _, m := range s.backups {
		if !contains(s.copies, m) {
			s.copies = append(s.copies, m)
		}
	}
	s.sync.resend.start(now, s.sh.Resend)
	s.sendSync(s.sync.waiting, true, now, out)
	s.goOnSync(now, out)
}

// alike lists who have this node's copy already, or most of it: those whose
// digest says so, those who have had every write, and those who copy the slot
// ahead.
func (s *Slot) alike() []Member {
	if s.take == nil {
		return slices.Concat(s.synced, s.stagers)
	}
	var list []Member
	have := s.sh.Memory.Digest(s.num, cache.OwnedOnly)
	for _, h := range s.take.haves {
		if h.have == have {
			list = append(list, h.member)
		}
	}
	return list
}

// sendSync sends a Sync, the first time with the content for those who may not
// have it already, unless it is large: who does not have it then fetches it.
func (s *Slot) sendSync(to []Member, first bool, now time.Duration, out *Out) {
	if len(to) == 0 {
		return
	}
	y, sh := s.sync, s.sh
	m := Message{Kind: Sync, Slot: s.num, Nonce: y.nonce, Digest: s.table.Digest, Term: s.term}
	if !y.freeing {
		m.Have, m.Floor, m.Version = sh.Memory.Digest(s.num, cache.OwnedOnly), sh.Memory.Floor(s.num), sh.Clock.Now()
		m.Generations = sh.Generations.Append(nil)
	}
	whole, listed := m, false
	for _, b := range to {
		if !first || contains(y.alike, b) {
			out.send(b, m)
			continue
		}
		if !listed {
			whole.Content, listed = s.inline(now), true
			whole.Floor = sh.Memory.Floor(s.num) // after the contents were listed
		}
		out.send(b, whole)
	}
}

// inline lists what this node has of the slot, if that fits into a message.
func (s *Slot) inline(now time.Duration) []Item {
	items, size := s.Content(now), 0
	for i := range items {
		size += items[i].size()
	}
	if size > s.sh.GrantBytes {
		return nil
	}
	return items
}

// onSync makes this node's copy what the owner has, or gives it up.
func (s *Slot) onSync(from Member, m *Message, now time.Duration, out *Out) {
	if !s.sameTable(from, m, out) || s.owner != from && !s.sh.off.backupFence || s.owner == s.sh.Self {
		return
	}
	a := Message{Kind: Synced, Slot: s.num, Nonce: m.Nonce, Term: m.Term}
	switch {
	case m.Term == s.term && !s.sh.off.resync:
		out.send(from, a) // once more
		return
	case m.Term.Count <= s.known && m.Term != s.term && !s.sh.off.syncFirst:
		if s.made < m.Nonce || s.term.Raiser != from {
			a.Term, a.Known = Term{}, s.known
			out.send(from, a)
		}
		return
	case s.unknownTo(from) && !s.sh.off.stranger:
		a.Term = Term{}
		out.send(from, a)
		return
	case !s.backup && s.owner == from:
		s.sh.Memory.DropSlot(s.num, cache.OwnedOnly)
		s.forget()
		s.known, s.lost = m.Term.Count, false
		out.send(from, a)
		return
	case s.filling != nil && s.filling.Nonce == m.Nonce:
		return
	}
	s.voidFilling()
	s.sh.Clock.Observe(m.Version)
	for _, g := range m.Generations {
		s.sh.Generations.Merge(g.Cache, g.Generation)
	}
	held := *m
	held.Content = nil
	s.filling = &held
	mem := s.sh.Memory
	switch {
	case len(m.Content) > 0 || m.Have.Count == 0:
		mem.DropSlot(s.num, cache.StagedOnly)
		s.fillWith(m.Content, now)
	case s.term.held() && m.Have == mem.Digest(s.num, cache.OwnedOnly):
		mem.DropSlot(s.num, cache.StagedOnly)
		s.adopt(out)
		return
	case m.Have == mem.Digest(s.num, cache.StagedOnly):
	default:
		out.Fetches = append(out.Fetches, Fetch{Slot: s.num, From: from, Nonce: m.Nonce})
		return
	}
	s.fill(out)
}

// unknownTo tells whether this node has a copy of another lineage than the
// owner's, which the owner has not been granted.
func (s *Slot) unknownTo(owner Member) bool {
	return s.term.held() && s.term.Raiser != owner &&
		!slices.ContainsFunc(s.spends, func(sp Spend) bool { return sp.To == owner || sp.To == 0 })
}

// fillWith takes items of the owner for this backup's copy. What does not fit
// is evicted.
func (s *Slot) fillWith(items []Item, now time.Duration) {
	for i := range items {
		if _, err := s.sh.Memory.Put(items[i].Ref, items[i].entry(cache.Staged, now)); err != nil {
			s.sh.Memory.RaiseFloor(s.num, items[i].Version)
		}
	}
}

// fill makes what is staged this backup's copy.
func (s *Slot) fill(out *Out) {
	s.sh.Memory.DropSlot(s.num, cache.OwnedOnly)
	s.promote(s.filling.Have)
	s.adopt(out)
}

// adopt makes what this node has the owner's copy of the slot.
func (s *Slot) adopt(out *Out) {
	m := s.filling
	s.filling = nil
	s.sh.Memory.RaiseFloor(s.num, m.Floor)
	s.term, s.made, s.spends, s.lost = m.Term, m.Nonce, nil, false
	s.window = window{}
	s.known = max(s.known, m.Term.Count)
	s.backed = max(s.backed, m.Term.Count)
	out.send(m.Term.Raiser, Message{Kind: Synced, Slot: s.num, Nonce: m.Nonce, Term: m.Term})
}

// voidFilling ends fetching for a sync that is not wanted any longer.
func (s *Slot) voidFilling() {
	if s.filling != nil {
		s.filling = nil
		s.sh.Memory.DropSlot(s.num, cache.StagedOnly)
	}
}

func (s *Slot) onSynced(from Member, m *Message, now time.Duration, out *Out) {
	y := s.sync
	if y == nil || y.nonce == 0 || y.nonce != m.Nonce || !contains(y.waiting, from) {
		return
	}
	switch {
	case m.Term.held():
	case m.Known == 0 && s.active: // there is a copy that this node has not seen
		s.deactivate(out)
		s.startTake(now, out)
		return
	default:
		s.known = max(s.known, m.Known)
		s.beginSync(now, out)
		return
	}
	y.waiting = without(y.waiting, from)
	s.goOnSync(now, out)
}

// goOnSync goes on when all that are waited for have answered.
func (s *Slot) goOnSync(now time.Duration, out *Out) {
	y := s.sync
	if len(y.waiting) > 0 && !s.sh.off.keepOld {
		return
	}
	if !y.freeing && s.active {
		y.freeing = true
		old := slices.DeleteFunc(slices.Clone(s.copies), func(m Member) bool {
			return contains(s.backups, m) || !contains(s.table.Members, m)
		})
		s.sendSync(old, false, now, out)
		if !s.sh.off.release {
			y.waiting = append(y.waiting, old...)
		}
	}
	if len(y.waiting) == 0 {
		s.endSync(now, out)
	}
}

// endSync begins to serve, or goes on with the writes that waited.
func (s *Slot) endSync(now time.Duration, out *Out) {
	s.sync = nil
	s.synced, s.copies = s.backups, slices.Clone(s.backups)
	s.stagers = slices.DeleteFunc(s.stagers, func(m Member) bool { return contains(s.backups, m) })
	if s.take != nil {
		s.activate(now, out)
		return
	}
	for ref, k := range s.keys {
		s.step(ref, k, now, out)
		s.tidy(ref, k)
	}
}

func (s *Slot) tickSync(now time.Duration, out *Out) {
	if y := s.sync; y != nil && y.nonce != 0 && y.resend.due(now, s.sh.Resend) {
		s.sendSync(y.waiting, false, now, out)
	}
}

package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// take is an attempt of the slot's owner to become active. Any change of table
// voids it; a message that belongs to a voided one is told by its nonce.
type take struct {
	nonce   uint64
	waiting []Member // have not granted yet
	grants  []grant
	resend  time.Duration

	// Once all have granted, grants are those that count.
	collecting bool
	fetching   []Member // whose content is still to come
}

// grant is what a member, or this node itself, had of the slot.
type grant struct {
	from    Member
	term    Term
	spent   bool
	spentTo Member
	have    cache.Digest
	large   bool
	content []Item
	known   uint64
	floor   uint64
}

// asker is a member whose Take waits here for the table that it names.
type asker struct {
	member Member
	msg    Message
}

// startTake asks every member of the table for the slot.
func (s *Slot) startTake(now time.Duration, out *Out) {
	s.nonces++
	t := &take{nonce: s.nonces}
	for _, m := range s.table.Members {
		if m == s.sh.Self {
			continue
		}
		if s.sh.off.takeAll && m != s.table.Members[0] {
			continue
		}
		t.waiting = append(t.waiting, m)
	}
	s.take = t
	s.sendTakes(now, out)
	s.tryActivate(now, out)
}

func (s *Slot) sendTakes(now time.Duration, out *Out) {
	t := s.take
	t.resend = now + s.sh.Resend
	if len(t.waiting) == 0 {
		return
	}
	m := Message{
		Kind: Take, Slot: s.num, Nonce: t.nonce, Digest: s.table.Digest,
		Have: s.sh.Memory.Digest(s.num, cache.StagedOnly),
	}
	for _, to := range t.waiting {
		out.send(to, m)
	}
}

// voidTake ends the attempt under way. A copy that it had only begun to
// collect is no copy.
func (s *Slot) voidTake() {
	if t := s.take; t != nil && len(t.fetching) > 0 && !t.gave(s.sh.Self) {
		s.sh.Memory.DropSlot(s.num, cache.OwnedOnly)
		s.term, s.spent, s.spentTo = Term{}, false, 0
	}
	s.take = nil
}

func (s *Slot) tickTake(now time.Duration, out *Out) {
	if s.take != nil && now >= s.take.resend {
		s.sendTakes(now, out)
	}
}

// onTake grants the slot, or keeps the question until this node has the table
// that the taker has.
func (s *Slot) onTake(from Member, m *Message, now time.Duration, out *Out) {
	for i := range s.askers {
		if s.askers[i].member == from {
			s.askers = append(s.askers[:i], s.askers[i+1:]...)
			break
		}
	}
	if s.table == nil || s.table.Digest != m.Digest && !(s.sh.off.digest && s.owner == from) {
		if len(s.askers) < s.sh.MaxParked {
			s.askers = append(s.askers, asker{from, *m})
		}
		out.Differ = append(out.Differ, from)
		return
	}
	if s.owner == from {
		s.grant(from, m, now, out)
	}
}

// grantAskers grants what this node's new table allows.
func (s *Slot) grantAskers(now time.Duration, out *Out) {
	if len(s.askers) == 0 {
		return
	}
	askers := s.askers
	s.askers = nil
	for i := range askers {
		if a := &askers[i]; contains(s.table.Members, a.member) {
			s.onTake(a.member, &a.msg, now, out)
		}
	}
}

// grant gives the slot to its new owner. This node has stopped serving it when
// its own table changed, and refused the writes that had no version then.
func (s *Slot) grant(to Member, m *Message, now time.Duration, out *Out) {
	sh := s.sh
	g := Message{
		Kind: Grant, Slot: s.num, Nonce: m.Nonce, Digest: m.Digest,
		Term: s.term, Spent: s.spent, SpentTo: s.spentTo, Known: s.known,
		Floor: sh.Memory.Floor(s.num), Version: sh.Clock.Now(),
	}
	if !sh.off.genGrant {
		g.Generations = sh.Generations.Append(nil)
	}
	if s.term.held() {
		g.Have = sh.Memory.Digest(s.num, cache.OwnedOnly)
		if g.Have != m.Have {
			g.Content = s.Content(now)
			size := 0
			for i := range g.Content {
				size += g.Content[i].size()
			}
			if size > sh.GrantBytes {
				g.Content, g.Large = nil, true
			}
		}
		s.spent, s.spentTo = true, to
	}
	out.send(to, g)
}

func (s *Slot) onGrant(from Member, m *Message, now time.Duration, out *Out) {
	t := s.take
	if t == nil || m.Nonce != t.nonce || !contains(t.waiting, from) {
		return
	}
	t.waiting = without(t.waiting, from)
	for _, g := range m.Generations {
		s.sh.Generations.Merge(g.Cache, g.Generation)
	}
	if !s.sh.off.clock {
		s.sh.Clock.Observe(m.Version)
	}
	t.grants = append(t.grants, grant{
		from: from, term: m.Term, spent: m.Spent, spentTo: m.SpentTo, known: m.Known,
		have: m.Have, large: m.Large, content: m.Content, floor: m.Floor,
	})
	s.tryActivate(now, out)
}

// tryActivate goes on with a take once everybody has granted.
func (s *Slot) tryActivate(now time.Duration, out *Out) {
	t := s.take
	if len(t.waiting) > 0 || t.collecting {
		return
	}
	t.collecting = true
	t.grants = append(t.grants, grant{
		from: s.sh.Self, term: s.term, spent: s.spent, spentTo: s.spentTo, known: s.known,
		floor: s.sh.Memory.Floor(s.num),
	})
	s.known = t.newest()
	t.grants = t.counting(&s.sh.off)
	if s.collect(now, out) {
		s.activate(now, out)
	}
}

// newest returns the highest term count that any giver knows of.
func (t *take) newest() uint64 {
	n := uint64(0)
	for _, g := range t.grants {
		n = max(n, g.term.Count, g.known)
	}
	return n
}

// counting returns the grants whose copies count. Those are the ones that were
// not granted away before. Where there are none, an earlier taker never came to
// serve, and what was granted to it counts still: but only if that taker is
// among the givers and nobody knows of a newer term. (Otherwise it may have
// served, and gone with what was written to it.)
func (t *take) counting(off *rules) []grant {
	newest := t.newest()
	var unspent, spent []grant
	for _, g := range t.grants {
		switch {
		case !g.term.held():
		case !g.spent:
			unspent = append(unspent, g)
		case g.term.Count == newest && t.gave(g.spentTo) || off.spent:
			spent = append(spent, g)
		}
	}
	if len(unspent) > 0 {
		return unspent
	}
	return spent
}

func (t *take) gave(m Member) bool {
	for _, g := range t.grants {
		if g.from == m {
			return true
		}
	}
	return false
}

// activate begins to serve. Whatever the last owner lent is revoked by every
// write until it must have ended.
func (s *Slot) activate(now time.Duration, out *Out) {
	mem := s.sh.Memory
	mem.DropSlot(s.num, cache.NearOnly|cache.StagedOnly)
	s.known++
	s.term, s.spent, s.spentTo = Term{s.known, s.sh.Self}, false, 0
	s.take = nil
	s.epoch++
	s.revokeAll = now + s.table.MaxNear
	s.active = true
	s.sh.Serving(s.num, true)
	s.sendDone(s.table.Members, out)
	s.replayParked(now, out)
}

func (s *Slot) sendDone(to []Member, out *Out) {
	for _, m := range to {
		if m != s.sh.Self {
			out.send(m, Message{Kind: Done, Slot: s.num, Digest: s.table.Digest, Term: s.term})
		}
	}
}

// onDone frees what this node has of a slot that another serves. With the same
// table, the owner has had this node's grant.
func (s *Slot) onDone(from Member, m *Message) {
	s.known = max(s.known, m.Term.Count)
	if s.table == nil || s.table.Digest != m.Digest || s.owner != from || s.owner == s.sh.Self {
		return
	}
	s.sh.Memory.DropSlot(s.num, cache.OwnedOnly)
	s.term, s.spent, s.spentTo = Term{}, false, 0
}

// onHeld tells a member that has missed it that the slot is served here.
func (s *Slot) onHeld(from Member, m *Message, out *Out) {
	if s.active && s.table.Digest == m.Digest {
		s.sendDone([]Member{from}, out)
	}
}

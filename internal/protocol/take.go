package protocol

import (
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
)

// take is an attempt of the slot's owner to become active. Any change of table
// voids it; a message that belongs to a voided one is told by its nonce.
type take struct {
	nonce   uint64
	held    bool     // nobody has been asked yet, see pace.go
	waiting []Member // have not granted yet
	grants  []grant
	resend  repeat
	after   time.Duration // nobody serves who is out of a giver's table

	// Once all have granted, grants are those that count.
	collecting bool
	fetching   []Member // whose content is still to come
	haves      []having // what each of the backups has, or has staged
	floor      uint64   // this node's, as collecting began
	rose       uint64   // to where that of a giver has risen since its grant, if there are others
}

// having is what a member has of a slot.
type having struct {
	member Member
	have   cache.Digest
}

// grant is what a member, or this node itself, had of the slot.
type grant struct {
	from    Member
	term    Term
	spends  []Spend
	taken   uint64
	have    cache.Digest
	content []Item
	known   uint64
	floor   uint64
	made    uint64
	backed  uint64
}

// asker is a member whose Take or Sync waits here for the table that it names,
// or whose Take waits for replications under way.
type asker struct {
	member Member
	msg    Message
}

// startTake asks every member of the table for the slot.
func (s *Slot) startTake(now time.Duration, out *Out) {
	s.nonces++
	most := len(s.table.Members)
	t := &take{nonce: s.nonces, after: s.table.Barred, waiting: make([]Member, 0, most), grants: make([]grant, 0, most)}
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
	if t.held = s.sh.Paced && len(t.waiting) > 0 && len(s.parked)+len(s.handed) == 0; !t.held {
		s.askAll(now, out)
	}
}

// askAll begins to ask.
func (s *Slot) askAll(now time.Duration, out *Out) {
	s.take.held = false
	s.take.resend.start(now, s.sh.Resend)
	s.sendTakes(out)
	s.tryActivate(now, out)
}

func (s *Slot) sendTakes(out *Out) {
	t := s.take
	if len(t.waiting) == 0 {
		return
	}
	m := Message{
		Kind: Take, Slot: s.num, Nonce: t.nonce, Digest: s.table.Digest, Clears: s.sh.Generations.Digest(), Taken: s.taken,
		Have: s.sh.Memory.Digest(s.num, cache.StagedOnly),
	}
	if m.Have.Count == 0 && s.term.held() {
		m.Have = s.sh.Memory.Digest(s.num, cache.OwnedOnly)
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
		s.forget()
	}
	if s.take != nil {
		s.take, s.sync = nil, nil
	}
}

// forget notes that there is no copy here.
func (s *Slot) forget() { s.term, s.made, s.spends = Term{}, 0, nil }

func (s *Slot) tickTake(now time.Duration, out *Out) {
	if s.take != nil && !s.take.held && s.take.resend.due(now, s.sh.Resend) {
		s.sendTakes(out)
	}
	if s.take != nil && s.take.after > 0 {
		s.tryActivate(now, out)
	}
}

// onTake grants the slot, or keeps the question until this node has the table
// that the taker has.
func (s *Slot) onTake(from Member, m *Message, now time.Duration, out *Out) {
	if !s.sameTable(from, m, out) || s.owner != from {
		return
	}
	if s.replicating > 0 && !s.sh.off.drain {
		s.ask(asker{from, *m})
		return
	}
	s.grant(from, m, now, out)
}

// sameTable tells whether a Take or a Sync can be answered now: it is the
// newest of its sender, and names this node's table. Otherwise it is kept.
func (s *Slot) sameTable(from Member, m *Message, out *Out) bool {
	for i := range s.askers {
		if a := &s.askers[i]; a.member == from {
			if a.msg.Nonce > m.Nonce {
				return false // an older attempt, overtaken
			}
			s.askers = append(s.askers[:i], s.askers[i+1:]...)
			break
		}
	}
	if s.table == nil || s.table.Digest != m.Digest && !(s.sh.off.digest && s.owner == from) && !(s.sh.off.backupFence && m.Kind == Sync) {
		s.ask(asker{from, *m})
		out.Differ = append(out.Differ, from)
		return false
	}
	return true
}

// ask keeps an asker. Where there are too many, the one that has waited longest
// has to ask again.
func (s *Slot) ask(a asker) {
	if len(s.askers) >= s.sh.MaxParked {
		s.askers = append(s.askers[:0], s.askers[1:]...)
	}
	s.askers = append(s.askers, a)
}

// grantAskers grants what this node's new table allows. Who is not a member in
// it goes on waiting for a later one, unless it was a member before.
func (s *Slot) grantAskers(old *Table, now time.Duration, out *Out) {
	if len(s.askers) == 0 {
		return
	}
	askers := s.askers
	s.askers = nil
	for i := range askers {
		switch a := &askers[i]; {
		case contains(s.table.Members, a.member):
			s.Handle(a.member, &a.msg, now, out)
		case old == nil || !contains(old.Members, a.member):
			s.ask(*a)
		}
	}
}

// grant gives the slot to its new owner. This node has stopped serving it when
// its own table changed, and refused the writes that had no version then.
func (s *Slot) grant(to Member, m *Message, now time.Duration, out *Out) {
	sh := s.sh
	g := Message{
		Kind: Grant, Slot: s.num, Nonce: m.Nonce, Digest: m.Digest,
		Term: s.term, Made: s.made, Spends: slices.Clone(s.spends), Taken: s.taken, Known: s.known, Backed: s.backed,
		Version: sh.Clock.Now(), Wait: max(s.table.Barred-now, 0),
	}
	if m.Clears != sh.Generations.Digest() && !sh.off.genGrant {
		g.Generations = sh.Generations.Append(nil)
	}
	switch {
	case s.term.held():
		g.Have = sh.Memory.Digest(s.num, cache.OwnedOnly)
		if g.Have != m.Have {
			g.Content = s.inline(now)
			g.Large = g.Content == nil && g.Have.Count > 0
		}
		// After the contents were listed: what is evicted meanwhile is in one of them.
		g.Floor = sh.Memory.Floor(s.num)
		s.giveHanded()
		s.spend(to, m)
	case s.backup: // the taker's sync need not bring what is here
		g.Have = sh.Memory.Digest(s.num, cache.StagedOnly)
	}
	out.send(to, g)
}

func (s *Slot) onGrant(from Member, m *Message, now time.Duration, out *Out) {
	t := s.take
	if t == nil || m.Nonce != t.nonce || !contains(t.waiting, from) {
		return
	}
	t.waiting = without(t.waiting, from)
	if m.Wait > 0 {
		t.after = max(t.after, now+m.Wait)
	}
	for _, g := range m.Generations {
		s.sh.Generations.Merge(g.Cache, g.Generation)
	}
	if !s.sh.off.clock {
		s.sh.Clock.Observe(m.Version)
	}
	t.grants = append(t.grants, grant{
		from: from, term: m.Term, spends: m.Spends, taken: m.Taken, known: m.Known,
		have: m.Have, content: m.Content, floor: m.Floor, made: m.Made, backed: m.Backed,
	})
	s.tryActivate(now, out)
}

// tryActivate goes on with a take once everybody has granted, and nobody can
// serve any longer who was not asked.
func (s *Slot) tryActivate(now time.Duration, out *Out) {
	t := s.take
	if len(t.waiting) > 0 || t.collecting || s.replicating > 0 || now < t.after {
		return
	}
	t.collecting = true
	own := grant{from: s.sh.Self, term: s.term, spends: s.spends, taken: s.taken, known: s.known, made: s.made, backed: s.backed}
	if s.term.held() {
		own.floor = s.sh.Memory.Floor(s.num)
		own.have = s.sh.Memory.Digest(s.num, cache.OwnedOnly)
		t.floor = own.floor // what is evicted from now on raises it
	}
	t.grants = append(t.grants, own)
	s.known = t.newest()
	for i := range t.grants {
		if g := &t.grants[i]; contains(s.backups, g.from) {
			t.haves = append(t.haves, having{g.from, g.have})
		}
	}
	t.grants = distinct(t.counting(&s.sh.off), s.sh.Self)
	if s.collect(now, out) {
		s.collected(now, out)
	}
}

// collected goes on when this node has all that counts.
func (s *Slot) collected(now time.Duration, out *Out) {
	if len(s.backups) == 0 {
		s.activate(now, out)
		return
	}
	s.beginSync(now, out)
	if s.sh.off.syncFirst && s.take != nil {
		s.endSync(now, out)
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

// activate begins to serve. Whatever the last owner lent is revoked by every
// write until it must have ended.
func (s *Slot) activate(now time.Duration, out *Out) {
	mem := s.sh.Memory
	mem.DropSlot(s.num, cache.NearOnly|cache.StagedOnly)
	if len(s.backups) == 0 {
		s.raise(0)
		s.synced, s.copies = nil, nil
	}
	s.taken = s.take.nonce
	s.take = nil
	s.epoch++
	s.revokeAll = now + s.table.MaxNear
	s.active = true
	if s.sh.Fenced {
		s.activated = now
	}
	s.sh.Serving(s.num, true)
	s.sendDone(s.table.Members, out)
	s.answerHanded(out)
	s.replayParked(now, out)
}

// raise begins a new term.
func (s *Slot) raise(nonce uint64) {
	s.known++
	s.term, s.made, s.spends = Term{s.known, s.sh.Self}, nonce, nil
}

func (s *Slot) sendDone(to []Member, out *Out) {
	for _, m := range to {
		if m != s.sh.Self {
			out.send(m, Message{Kind: Done, Slot: s.num, Digest: s.table.Digest, Term: s.term})
		}
	}
}

// onDone frees what this node has of a slot that another serves. With the same
// table, the owner has had this node's grant, and so its term is above this
// copy's. One whose term is not, or to whose sender this copy is not known,
// comes late: the table was another meanwhile, and this copy is a newer one.
func (s *Slot) onDone(from Member, m *Message, out *Out) {
	s.known = max(s.known, m.Term.Count)
	if s.table == nil || s.table.Digest != m.Digest || s.owner != from || s.owner == s.sh.Self {
		return
	}
	if s.backup && m.Term == s.term {
		s.answerHanded(out)
	}
	if m.Term.Count <= s.term.Count || s.backup || s.unknownTo(from) {
		return
	}
	s.answerHanded(out)
	s.sh.Memory.DropSlot(s.num, cache.OwnedOnly|cache.StagedOnly)
	s.forget()
	s.lost = false
}

// sendHeld asks the owner for a Done.
func (s *Slot) sendHeld(out *Out) {
	out.send(s.owner, Message{Kind: Held, Slot: s.num, Digest: s.table.Digest, Urgent: len(s.handed) > 0})
}

// onHeld tells a member that has missed it that the slot is served here. While
// the backups change, its copy may still be needed. Where the take is yet to begin,
// somebody may wait for it there.
func (s *Slot) onHeld(from Member, m *Message, now time.Duration, out *Out) {
	if m.Urgent && s.table != nil && s.table.Digest == m.Digest {
		s.hurryTake(now, out)
	}
	if s.active && (s.sync == nil || s.sh.off.keepOld) && s.table.Digest == m.Digest {
		s.sendDone([]Member{from}, out)
	}
}

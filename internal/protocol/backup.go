package protocol

import (
	"math"
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
)

// A write that has its version is brought to every backup of the table before
// it is visible. So what a read has returned, and what a caller was told is
// written, outlives the owner. The owner waits for all of them; one that does
// not answer is asked again until it does or the table has it no longer. The
// caller waits until its deadline.
//
// A backup takes a replication only from who is the owner by its own table,
// and only in the term of its own copy. Otherwise an owner that does not know
// yet that the slot is another's could have a write acknowledged that no grant
// brings to the new one.

// noEnd is when a backup is no longer waited for.
const noEnd = time.Duration(math.MaxInt64)

// handed is a write that a backup has refused, because the slot is lost. It is
// in this node's copy, which is not granted yet, and so the next owner will
// have it: then its caller is answered. Nobody else has it, so if it is evicted
// here or expires before, the next owner may serve what it was to overwrite.
type handed struct {
	call     Call
	ref      cache.Ref
	version  uint64
	count    uint64 // the entry's generation
	deadline time.Duration
	// given says that every grant since has brought it to the taker, or the Clear that
	// has removed it.
	given bool
}

// replicate sends a write to the backups, and tells whether it has to wait for
// them.
func (s *Slot) replicate(ref cache.Ref, w *write, now time.Duration, out *Out) bool {
	for _, m := range s.backups {
		w.wait = append(w.wait, waitFor{member: m, until: noEnd})
	}
	if len(w.wait) == 0 {
		return false
	}
	s.nonces++
	w.number = s.nonces
	s.open = append(s.open, w.number)
	w.resend.start(now, s.sh.Resend)
	s.sendReplicas(w, now, out)
	if s.sh.off.replFirst && !w.load {
		s.keep(w)
	}
	if s.sh.off.strict {
		w.wait = nil
	}
	return len(w.wait) > 0
}

func (s *Slot) sendReplicas(w *write, now time.Duration, out *Out) {
	m := Message{Kind: Replicate, Slot: s.num, Nonce: w.number, Known: slices.Min(s.open), Term: s.term, Ref: w.call.Ref}
	m.Version = w.entry.Version
	if !w.load {
		m.Content = []Item{itemOf(cache.Item{Ref: w.call.Ref, Entry: w.entry}, now)}
	}
	for _, x := range w.wait {
		out.send(x.member, m)
	}
}

// onReplicate takes a write into a backup's copy.
func (s *Slot) onReplicate(from Member, m *Message, now time.Duration, out *Out) {
	off := &s.sh.off
	a := Message{Kind: Replicated, Slot: s.num, Nonce: m.Nonce, Ref: m.Ref}
	switch {
	case s.owner != from && !off.backupFence || s.owner == s.sh.Self || !s.term.held() || s.term != m.Term && !off.term:
		if s.owner != from {
			out.Differ = append(out.Differ, from)
		}
	case len(s.window.seen) >= maxWindow && m.Known <= s.window.low:
		return // room comes with the next one that is over
	case !s.window.take(m.Nonce, m.Known) && !off.twice:
		a.Term = m.Term
	default:
		a.Term = m.Term
		s.sh.Clock.Observe(m.Version)
		if e, ok := s.sh.Memory.Peek(m.Ref, cache.Owned); ok && len(m.Content) == 0 && e.Version < m.Version {
			s.sh.Memory.Drop(m.Ref, cache.OwnedOnly)
		}
		for i := range m.Content {
			s.keepReplica(&m.Content[i], now)
		}
	}
	out.send(from, a)
}

// keepReplica puts a write into a backup's copy. As at the owner, what cannot be
// kept, or is over already, must not leave an old value behind.
func (s *Slot) keepReplica(it *Item, now time.Duration) {
	res, err := s.sh.Memory.Put(it.Ref, it.entry(cache.Owned, now))
	if err == nil && res == cache.Stored {
		return
	}
	s.lose(it.Ref, it.Version)
}

// window tells which replications of a term have come. One that comes again
// may come after what it brought was overwritten and the newer value has
// expired or was evicted here: it must not bring back the older one.
type window struct {
	low  uint64   // all below are over
	seen []uint64 // from low on, sorted
}

// maxWindow bounds what may come while an older replication is not over.
const maxWindow = 1024

// take tells whether a replication is new. No number below low will come but
// again.
func (w *window) take(number, low uint64) bool {
	w.low = max(w.low, low)
	i, _ := slices.BinarySearch(w.seen, w.low)
	w.seen = slices.Delete(w.seen, 0, i)
	i, seen := slices.BinarySearch(w.seen, number)
	if seen || number < w.low {
		return false
	}
	w.seen = slices.Insert(w.seen, i, number)
	return true
}

// onReplicated is a backup's answer. A refusal counts only once the slot is
// lost: until then the backup has a table that this node does not have yet, or
// not any longer.
func (s *Slot) onReplicated(from Member, m *Message, now time.Duration, out *Out) {
	k := s.keys[m.Ref]
	if k == nil || k.write == nil || k.write.number != m.Nonce || !k.write.versioned() {
		return
	}
	w := k.write
	switch {
	case m.Term.held():
		w.confirm(from)
	case s.active:
		for i := range w.wait {
			if w.wait[i].member == from {
				w.wait[i].refused = true
			}
		}
		return
	default:
		w.confirm(from)
		s.hand(w, now, out)
	}
	s.step(m.Ref, k, now, out)
	s.tidy(m.Ref, k)
}

// hand leaves it to the next owner to make a write safe.
func (s *Slot) hand(w *write, now time.Duration, out *Out) {
	if w.answer || w.load {
		return
	}
	w.answer = true
	if len(s.handed) >= s.sh.MaxParked {
		out.answer(Answer{Call: w.call.Call, Status: Unavailable})
		return
	}
	s.handed = append(s.handed, handed{w.call.Call, w.call.Ref, w.entry.Version, w.entry.Generation, w.call.Deadline, true})
	s.asking.start(now, s.sh.Resend)
	s.hurryOwner(now, out)
}

// hurryOwner lets whoever is to own the slot take it now. It may not have the table
// yet, and so is asked again soon.
func (s *Slot) hurryOwner(now time.Duration, out *Out) {
	if !s.sh.Paced {
		return // it has begun
	}
	if s.owner == s.sh.Self {
		s.hurryTake(now, out)
		return
	}
	s.sendHeld(out)
	s.asking.start(now, s.sh.Resend>>maxDoublings)
}

// giveHanded notes which of the handed writes a grant brings. Where a Clear has
// removed one, that has removed what it was to overwrite too, and the taker hears of
// it; and of what becomes of it before it is fetched.
func (s *Slot) giveHanded() {
	for i := range s.handed {
		h := &s.handed[i]
		h.given = h.given && s.keeps(h)
	}
}

// keeps tells whether a handed write is in this node's copy, or has been overwritten or
// cleared.
func (s *Slot) keeps(h *handed) bool {
	e, ok := s.sh.Memory.Peek(h.ref, cache.Owned)
	return ok && e.Version >= h.version || s.sh.Generations.Of(h.ref.Cache).Count > h.count
}

// answerHanded says that the slot is served with what this node's copy had, by itself
// or by another. By another, what counts is what that one was given: what is here since
// may be of a write there that is not visible yet, or cleared by a Clear that has not
// come there.
func (s *Slot) answerHanded(out *Out) {
	for i := range s.handed {
		h := &s.handed[i]
		a := Answer{Call: h.call, Status: Written, Version: h.version}
		if s.active && !s.keeps(h) || !s.active && !h.given && !s.sh.off.given {
			a.Status = Unavailable
		}
		out.answer(a)
	}
	s.handed = nil
}

func (s *Slot) tickHanded(now time.Duration, out *Out) {
	kept := s.handed[:0]
	for _, h := range s.handed {
		if now < h.deadline {
			kept = append(kept, h)
			continue
		}
		out.answer(Answer{Call: h.call, Status: Unavailable})
	}
	s.handed = kept
}

// forgetBackups ends waiting for backups that the new table does not have,
// since they are gone, and for those that have refused a write of a slot that
// is now lost.
func (s *Slot) forgetBackups(now time.Duration, out *Out) {
	if s.replicating == 0 {
		return
	}
	for ref, k := range s.keys {
		w := k.write
		if w == nil || !w.versioned() {
			continue
		}
		for i := 0; i < len(w.wait); {
			refused := w.wait[i].refused && !s.active
			if refused {
				s.hand(w, now, out)
			}
			if refused || !contains(s.table.Members, w.wait[i].member) {
				w.wait = append(w.wait[:i], w.wait[i+1:]...)
				continue
			}
			i++
		}
		s.step(ref, k, now, out)
		s.tidy(ref, k)
	}
}

// afterDrain goes on with what had to wait for replications under way.
func (s *Slot) afterDrain(now time.Duration, out *Out) {
	if !s.drained || s.replicating > 0 {
		return
	}
	s.drained = false
	if s.sync != nil && s.sync.nonce == 0 && !s.sync.held {
		s.beginSync(now, out)
	}
	askers := s.askers
	s.askers = nil
	for i := range askers {
		if a := &askers[i]; s.table != nil && a.msg.Digest == s.table.Digest {
			s.Handle(a.member, &a.msg, now, out)
		} else {
			s.ask(*a)
		}
	}
	if s.take != nil {
		s.tryActivate(now, out)
	}
}

package protocol

import (
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
)

// WriteCall is a Set or a Delete that has come to the owner.
type WriteCall struct {
	Call     Call
	Ref      cache.Ref
	Delete   bool
	Value    []byte
	TTL      time.Duration // of the value; 0: for ever
	Deadline time.Duration
}

// write is a write, or the beginning of a load, that is waiting for near
// copies to be given back. It takes its version only after that, and becomes
// visible when every backup has it (backup.go).
type write struct {
	call   WriteCall
	id     uint64
	load   bool
	result bool // of a loader's run
	answer bool // the caller has been answered, and the work goes on
	entry  cache.Entry
	number uint64 // of its replication; 0: none
	wait   []waitFor
	resend repeat
	cost   int // what Shared.Writes is charged with, while it waits or is its key's write
}

// What a write takes beside its key and value, about, and for each member that may
// have to confirm it.
const (
	writeOverhead = 512
	waitOverhead  = 32
)

// versioned tells whether the write has its version: it is what will be
// visible, and the backups may have it.
func (w *write) versioned() bool { return w.entry.Version != 0 }

// waitFor is a member that has not yet given back its near copy, and when its
// lease ends anyway; or a backup that has not yet acknowledged.
type waitFor struct {
	member  Member
	until   time.Duration
	refused bool // a backup has refused the write
}

// confirm notes that m has no near copy any longer, and tells whether that was
// waited for.
func (w *write) confirm(m Member) bool {
	for i := range w.wait {
		if w.wait[i].member == m {
			w.wait = append(w.wait[:i], w.wait[i+1:]...)
			return true
		}
	}
	return false
}

// Write takes a Set or a Delete as the key's owner. One write of a key is
// under way at a time.
func (s *Slot) Write(c WriteCall, now time.Duration, out *Out) {
	switch {
	case s.owner != s.sh.Self:
		out.answer(Answer{Call: c.Call, Status: NotMine})
	case now >= c.Deadline:
		out.answer(Answer{Call: c.Call, Status: NotExecuted})
	case !s.active:
		held := c // so that only this one is allocated
		s.park(parked{write: &held}, now, out)
	case s.sh.Writes.full():
		out.answer(Answer{Call: c.Call, Status: Overloaded})
	default:
		s.nonces++
		s.enqueue(&write{call: c, id: s.nonces}, now, out)
	}
}

func (s *Slot) enqueue(w *write, now time.Duration, out *Out) {
	k := s.key(w.call.Ref)
	if k.write != nil {
		if len(k.queue) >= s.sh.MaxQueued {
			out.answer(Answer{Call: w.call.Call, Status: Overloaded})
			return
		}
		w.cost = costOf(w.call.Ref, len(w.call.Value))
		s.sh.Writes.add(w.cost)
		k.queue = append(k.queue, w)
		return
	}
	s.begin(k, w, now, out)
	s.step(w.call.Ref, k, now, out)
	s.tidy(w.call.Ref, k)
}

// costOf is what Shared.Writes is charged with for a call.
func costOf(ref cache.Ref, value int) int { return writeOverhead + len(ref.Key) + value }

// setWrite notes the write that is under way for a key, or none.
func (s *Slot) setWrite(k *key, w *write) {
	if k.write != nil {
		s.writing--
		s.sh.Writes.give(k.write.cost)
		if k.write.versioned() {
			s.replicating--
			s.open = slices.DeleteFunc(s.open, func(n uint64) bool { return n == k.write.number })
			s.drained = s.replicating == 0
		}
	}
	if w != nil {
		s.writing++
		w.cost = costOf(w.call.Ref, len(w.call.Value)+len(w.entry.Value)) + waitOverhead*len(s.table.Reach)
		s.sh.Writes.add(w.cost)
		if w.versioned() {
			s.replicating++
		}
	}
	k.write = w
}

// begin sends the revocations of a write: to whom a near copy is lent, to
// everybody while the last owner's leases may run, and for a Delete to
// everybody always.
func (s *Slot) begin(k *key, w *write, now time.Duration, out *Out) {
	s.setWrite(k, w)
	if !w.load {
		for _, l := range k.loads {
			l.dirty = l.dirty || l.version != 0
		}
	}
	for _, l := range k.leases {
		if l.until > now {
			w.wait = append(w.wait, waitFor{member: l.holder, until: l.until})
		}
	}
	if s.sh.off.revoke {
		w.wait = nil
	}
	end := time.Duration(0)
	if s.revokeAll > now && !s.sh.off.revAll {
		end = s.revokeAll
	}
	if w.call.Delete && !w.load && !s.sh.off.revoke {
		end = max(end, now+s.table.MaxNear)
	}
	if end > 0 {
		for _, m := range s.table.Reach {
			if m != s.sh.Self {
				w.waitUntil(m, end)
			}
		}
	}
	if s.sh.Fenced && s.revokeAll > now && s.table.Lost > s.activated {
		// Who was taken out since may hold a lease of the last owner.
		w.waitUntil(0, s.revokeAll)
	}
	w.resend.start(now, s.sh.Resend)
	s.revoke(w, out)
}

// waitUntil adds m to those waited for, or lengthens the wait.
func (w *write) waitUntil(m Member, end time.Duration) {
	for i := range w.wait {
		if w.wait[i].member == m {
			w.wait[i].until = max(w.wait[i].until, end)
			return
		}
	}
	w.wait = append(w.wait, waitFor{member: m, until: end})
}

func (s *Slot) revoke(w *write, out *Out) {
	for _, x := range w.wait {
		if x.member == 0 {
			continue // nobody who could be asked
		}
		out.send(x.member, Message{Kind: Revoke, Slot: s.num, Ref: w.call.Ref, Nonce: w.id})
	}
}

func (s *Slot) onRevoked(from Member, m *Message, now time.Duration, out *Out) {
	k := s.keys[m.Ref]
	if k == nil || k.write == nil || k.write.id != m.Nonce || k.write.versioned() {
		return
	}
	s.dropLease(k, from)
	k.write.confirm(from)
	s.step(m.Ref, k, now, out)
	s.tidy(m.Ref, k)
}

// step carries on the key's writes as far as they go.
func (s *Slot) step(ref cache.Ref, k *key, now time.Duration, out *Out) {
	for k.write != nil && len(k.write.wait) == 0 && s.advance(ref, k, now, out) {
	}
	s.afterDrain(now, out)
}

// advance takes the next step of the key's write, who waits for no member, and
// tells whether there was one.
func (s *Slot) advance(ref cache.Ref, k *key, now time.Duration, out *Out) bool {
	w := k.write
	switch {
	case !w.versioned() && s.sync != nil && !s.sh.off.pause:
		s.hurrySync()
		return false // goes on with the backups that the slot is to have
	case w.versioned():
		s.finish(ref, k, w, now, out)
	case w.load && s.has(ref):
		s.startLoad(w, k, now, out)
	case !s.version(w, now):
		if !w.load {
			return false // goes on at a tick
		}
		if l := k.findLoad(w.id); l != nil {
			k.askAgain(l, out)
		}
	case s.replicate(ref, w, now, out):
		return true
	default:
		s.finish(ref, k, w, now, out)
	}
	s.nextWrite(k, now, out)
	return true
}

// finish makes a write visible, or runs the loader.
func (s *Slot) finish(ref cache.Ref, k *key, w *write, now time.Duration, out *Out) {
	if w.load {
		s.startLoad(w, k, now, out)
		return
	}
	stored := s.sh.off.replFirst && w.number != 0 || s.keep(w)
	if !w.answer {
		out.answer(Answer{Call: w.call.Call, Status: Written, Version: w.entry.Version})
	}
	if stored {
		s.stage(ref, now, out)
	}
}

// nextWrite begins the next write of the key that waits.
func (s *Slot) nextWrite(k *key, now time.Duration, out *Out) {
	s.setWrite(k, nil)
	for len(k.queue) > 0 {
		w := k.queue[0]
		k.queue[0] = nil
		k.queue = k.queue[1:]
		s.sh.Writes.give(w.cost)
		if now >= w.call.Deadline && !w.load {
			out.answer(Answer{Call: w.call.Call, Status: NotExecuted})
			continue
		}
		s.begin(k, w, now, out)
		return
	}
	k.queue = nil
}

// abortWrites refuses the key's writes that have no version: the slot is lost,
// and the callers go to its new owner. One that has a version goes on.
func (s *Slot) abortWrites(ref cache.Ref, k *key, out *Out) {
	writes := k.queue
	for _, w := range writes {
		s.sh.Writes.give(w.cost)
	}
	going := k.write
	if going != nil && !going.versioned() {
		writes = append([]*write{going}, writes...)
		going = nil
	}
	for _, w := range writes {
		switch {
		case w.load:
		case w.answer:
			out.Again = append(out.Again, ref)
		default:
			if s.sh.off.abort {
				w.wait = nil
				s.version(w, 0)
				s.replicating--
				s.keep(w)
				w.entry = cache.Entry{}
				out.answer(Answer{Call: w.call.Call, Status: Written})
				continue
			}
			out.answer(Answer{Call: w.call.Call, Status: NotExecuted})
		}
	}
	if going == nil {
		s.setWrite(k, nil)
	}
	k.queue = nil
}

// tickWrites ends waiting where a lease or a deadline is over. A Set past its
// deadline is not executed, unless the backups may have it: then it is answered
// and goes on, as a Delete always is.
func (s *Slot) tickWrites(ref cache.Ref, k *key, now time.Duration, out *Out) {
	for i := 0; i < len(k.queue); {
		if w := k.queue[i]; now >= w.call.Deadline && !w.load {
			out.answer(Answer{Call: w.call.Call, Status: NotExecuted})
			s.sh.Writes.give(w.cost)
			k.queue = append(k.queue[:i], k.queue[i+1:]...)
			continue
		}
		i++
	}
	w := k.write
	if w == nil {
		return
	}
	for i := 0; i < len(w.wait); {
		if w.wait[i].until <= now {
			w.wait = append(w.wait[:i], w.wait[i+1:]...)
			continue
		}
		i++
	}
	if len(w.wait) == 0 && (s.sync == nil || s.sync.held || w.versioned()) {
		s.step(ref, k, now, out)
		if k.write != w || len(w.wait) > 0 {
			return
		}
	}
	switch {
	case now >= w.call.Deadline && !w.load && !w.answer && w.versioned() && !w.call.Delete:
		w.answer = true
		out.answer(Answer{Call: w.call.Call, Status: Unavailable})
	case now >= w.call.Deadline && !w.load && !w.versioned() && !w.call.Delete:
		out.answer(Answer{Call: w.call.Call, Status: NotExecuted})
		s.nextWrite(k, now, out)
		s.step(ref, k, now, out)
	case now >= w.call.Deadline && !w.load && !w.answer:
		a := Answer{Call: w.call.Call, Status: Partial}
		for _, x := range w.wait {
			a.Unconfirmed = append(a.Unconfirmed, x.member)
		}
		switch {
		case len(w.wait) > 0:
		case s.sync != nil:
			a.Unconfirmed = append(a.Unconfirmed, s.sync.waiting...)
		default: // it has no version yet
			a.Status = Unavailable
		}
		w.answer = true
		out.answer(a)
	case !w.resend.due(now, s.sh.Resend):
	case w.versioned():
		s.sendReplicas(w, now, out)
	default:
		s.revoke(w, out)
	}
}

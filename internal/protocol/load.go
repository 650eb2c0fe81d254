package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// load is a loader's run for a key that the owner does not have. It begins as
// a write that revokes what leases are left on the key and takes the key from
// the backups (its entry may have been evicted here alone); then the version is
// taken, then the loader runs. So whatever is written while it runs is newer
// than what it found, and nothing older is left when its readers have it.
type load struct {
	id         uint64
	version    uint64 // 0 until the loader runs
	generation uint64
	dirty      bool // the key was written, or the slot lost, since the version was taken
	waiters    []Get
}

// Loaded is how a loader's run ended.
type Loaded struct {
	Value   []byte
	TTL     time.Duration
	Missing bool          // there is no such thing
	Recall  time.Duration // how long to remember that; 0: not at all
	Err     error
}

// load makes g wait for a loader's run: the one under way, unless the key was
// written or its cache cleared since, or else a new one.
func (s *Slot) load(g Get, now time.Duration, out *Out) {
	k := s.key(g.Ref)
	if n := len(k.loads); n > 0 {
		l := k.loads[n-1]
		current := l.version == 0 || l.generation == s.sh.Generations.Of(g.Ref.Cache).Count
		if current && !l.dirty && len(l.waiters) < s.sh.MaxParked {
			l.waiters = append(l.waiters, g)
			return
		}
		if current && !l.dirty || n >= s.sh.MaxQueued {
			out.answer(Answer{Call: g.Call, Status: Overloaded})
			return
		}
	}
	if s.sh.Writes.full() || len(k.queue) >= s.sh.MaxQueued {
		out.answer(Answer{Call: g.Call, Status: Overloaded})
		s.tidy(g.Ref, k)
		return
	}
	s.nonces++
	k.loads = append(k.loads, &load{id: s.nonces, waiters: []Get{g}})
	s.enqueue(&write{call: WriteCall{Ref: g.Ref}, id: s.nonces, load: true}, now, out)
}

// has tells whether there is anything of the key in this node's copy, and so
// the same or nothing at the backups.
func (s *Slot) has(ref cache.Ref) bool {
	_, ok := s.sh.Memory.Peek(ref, cache.Owned)
	return ok || len(s.backups) == 0 || s.sh.off.loadDrop
}

// startLoad runs the loader, now that no near copy of the key is left. If the
// key has been written while the load waited, or another load has ended, the
// readers get that. Where there is no version for it yet they are to ask again.
func (s *Slot) startLoad(w *write, k *key, now time.Duration, out *Out) {
	l := k.findLoad(w.id)
	if l == nil {
		return
	}
	e, ok := s.sh.Memory.Peek(w.call.Ref, cache.Owned)
	if ok && (!e.Tombstone || e.Negative) {
		k.dropLoad(l)
		for _, g := range l.waiters {
			if e.Negative {
				out.answer(Answer{Call: g.Call, Status: Missing, Generation: s.sh.Generations.Of(g.Ref.Cache)})
			} else {
				out.answer(s.found(g.Call, g.Ref, e, now))
			}
		}
		return
	}
	version, ok := s.sh.Clock.Next(max(e.Version, s.sh.Memory.Floor(s.num)))
	if !ok {
		k.askAgain(l, out)
		return
	}
	l.version = version
	l.generation = s.sh.Generations.Of(w.call.Ref.Cache).Count
	out.Loads = append(out.Loads, Load{Slot: s.num, ID: l.id, Ref: w.call.Ref})
}

// askAgain ends a load that cannot begin yet.
func (k *key) askAgain(l *load, out *Out) {
	k.dropLoad(l)
	for _, g := range l.waiters {
		out.answer(Answer{Call: g.Call, Status: NotExecuted})
	}
}

// Loaded ends the loader's run of that number. Its result is stored only if
// this node has served the slot all the while and nothing was written; the
// readers get it in any case.
func (s *Slot) Loaded(id uint64, ref cache.Ref, r Loaded, now time.Duration, out *Out) {
	k := s.keys[ref]
	if k == nil {
		return
	}
	l := k.findLoad(id)
	if l == nil {
		return
	}
	k.dropLoad(l)
	sh := s.sh
	version := l.version
	if sh.off.loadVer {
		version, _ = sh.Clock.Next(0)
	}
	if r.Err == nil && s.active && s.sync == nil && (!l.dirty || sh.off.loadVer) && k.write == nil && (!r.Missing || r.Recall > 0) {
		e := cache.Entry{Kind: cache.Owned, Version: version, Generation: l.generation, Value: r.Value, Expires: until(r.TTL, now)}
		if r.Missing {
			e.Tombstone, e.Negative, e.Value, e.Expires = true, true, nil, now+r.Recall
		}
		old, _ := sh.Memory.Peek(ref, cache.Owned)
		e.Short = outlives(&old, &e)
		w := &write{call: WriteCall{Ref: ref, Deadline: now}, id: l.id, result: true, answer: true, entry: e}
		s.setWrite(k, w)
		if !s.replicate(ref, w, now, out) {
			s.finish(ref, k, w, now, out)
			s.nextWrite(k, now, out)
		}
	}
	for _, g := range l.waiters {
		a := Answer{
			Call: g.Call, Status: Found, Loaded: true, Value: r.Value, Version: version, Count: l.generation,
			Left: r.TTL, Generation: sh.Generations.Of(ref.Cache),
		}
		switch {
		case r.Err != nil:
			a.Status, a.Value, a.Err = Failed, nil, r.Err
		case r.Missing:
			a.Status, a.Value = Missing, nil
		}
		out.answer(a)
	}
	s.tidy(ref, k)
	s.afterDrain(now, out)
}

// dropUnstarted refuses the readers of loads whose loader does not run yet:
// the slot is lost, and they go to its new owner.
func (s *Slot) dropUnstarted(k *key, out *Out) {
	kept := k.loads[:0]
	for _, l := range k.loads {
		if l.version != 0 {
			l.dirty = l.dirty || !s.sh.off.loadTerm // another owner may write the key
			kept = append(kept, l)
			continue
		}
		for _, g := range l.waiters {
			out.answer(Answer{Call: g.Call, Status: NotMine})
		}
	}
	clear(k.loads[len(kept):])
	k.loads = kept
}

func (k *key) findLoad(id uint64) *load {
	for _, l := range k.loads {
		if l.id == id {
			return l
		}
	}
	return nil
}

func (k *key) dropLoad(l *load) {
	for i, x := range k.loads {
		if x == l {
			k.loads = append(k.loads[:i], k.loads[i+1:]...)
			return
		}
	}
}

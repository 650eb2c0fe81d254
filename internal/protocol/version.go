package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// version gives the write its version, if there is one yet. It is above every one
// that the key, the slot's floor or any message has named.
func (s *Slot) version(w *write, now time.Duration) bool {
	sh, c := s.sh, &w.call
	old, _ := sh.Memory.Peek(c.Ref, cache.Owned)
	version, ok := sh.Clock.Next(max(old.Version, sh.Memory.Floor(s.num)))
	if !ok {
		return false
	}
	e := cache.Entry{
		Kind:       cache.Owned,
		Version:    version,
		Generation: sh.Generations.Of(c.Ref.Cache).Count,
		Value:      c.Value,
		Expires:    until(c.TTL, now),
	}
	if c.Delete {
		e.Tombstone, e.Value = true, nil
		e.Expires = max(now+sh.Tombstone, old.Expires)
	}
	e.Short = outlives(&old, &e)
	w.entry = e
	s.replicating++
	return true
}

// outlives tells whether what an entry takes the place of (or what that took the
// place of) might have lived longer. Where a copy of it is left in another
// lineage, the floor then keeps it from coming back.
func outlives(old, e *cache.Entry) bool {
	return e.Expires != 0 && old.Version != 0 && (old.Short || old.Expires == 0 || old.Expires > e.Expires)
}

// keep puts what a write has made into this node's copy, and tells whether it
// is there now.
func (s *Slot) keep(w *write) bool {
	mem, ref := s.sh.Memory, w.call.Ref
	res, err := mem.Put(ref, w.entry)
	if w.result {
		return err == nil && res == cache.Stored
	}
	if err != nil || res != cache.Stored {
		// What cannot be kept, or is over already, must not leave an old value
		// behind.
		mem.Drop(ref, cache.AllKinds)
		mem.RaiseFloor(s.num, w.entry.Version)
	}
	return true
}

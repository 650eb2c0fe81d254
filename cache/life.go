package cache

import "time"

// end says whether an entry is live, or by what it ended.
type end uint8

const (
	live end = iota
	expired
	cleared
)

// moment reads the clock when somebody first asks, and not again.
type moment struct {
	clock func() time.Duration
	at    time.Duration
	read  bool
}

func (s *shard) moment() moment { return moment{clock: s.store.clock} }

func (t *moment) now() time.Duration {
	if !t.read {
		t.at, t.read = t.clock(), true
	}
	return t.at
}

func (s *shard) ended(r *record, t *moment) end {
	return s.endOf(r.cache, r.generation, r.until(), t)
}

func (s *shard) endOf(cacheNumber uint32, generation uint64, until time.Duration, t *moment) end {
	switch {
	case generation < s.store.generations.of(cacheNumber):
		return cleared
	case until != never && t.now() >= until:
		return expired
	}
	return live
}

// bury removes a record that has ended. That of an owned entry leaves its version
// in the slot's floor where an older one may be left elsewhere: what took the
// place of something that could have lived longer, and a deletion, if Remember
// says so.
func (s *shard) bury(r *record, e end) {
	k := &s.held[r.kind()]
	if e == cleared {
		k.cleared++
		s.remove(r)
		return
	}
	k.expirations++
	deletion := r.tombstone() && r.bits&bitNegative == 0
	if r.kind() == Owned && (r.bits&bitShort != 0 || deletion && s.store.remember.Load()) {
		sl := s.slot(r.hash)
		sl.floor = max(sl.floor, r.version)
	}
	s.remove(r)
}

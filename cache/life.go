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
	return s.endOf(r.cache, r.generation, r.deletion(), r.until(), t)
}

// endOf tells whether an entry has ended. A deletion outlives a Clear: of two
// sides of a split the one that has cleared less often may have deleted what the
// other has set since its last Clear.
func (s *shard) endOf(cacheNumber uint32, generation uint64, deletion bool, until time.Duration, t *moment) end {
	switch {
	case !deletion && generation < s.store.generations.of(cacheNumber):
		return cleared
	case until != never && t.now() >= until:
		return expired
	}
	return live
}

// missedFor is how long what was cleared is remembered where others do not know of
// it, or were not asked: until the copies of all of them have become one.
const missedFor = 10 * time.Minute

// bury removes a record that has ended, and returns what is in its place, if
// anything is. That of an owned entry leaves its version in the slot's floor where
// an older one may be left elsewhere: what took the place of something that could
// have lived longer, and a deletion, if Remember says so.
func (s *shard) bury(r *record, e end, t *moment) *record {
	k := &s.held[r.kind()]
	if e == cleared {
		k.cleared++
		if s.missed(r) {
			return s.entomb(r, t)
		}
		s.remove(r)
		return nil
	}
	k.expirations++
	if r.kind() == Owned && r.bits&bitShort != 0 || s.remembered(r) {
		sl := s.slot(r.hash)
		sl.floor = max(sl.floor, r.version)
	}
	s.remove(r)
	return nil
}

// remembered tells whether a record is a deletion that leaves its version in the floor
// as it ends. What takes its place has to do so too (Entry.Short): when both are over
// there may still be somebody with something older.
func (s *shard) remembered(r *record) bool {
	return r.kind() == Owned && r.deletion() && s.store.remember.Load()
}

// missed tells whether a record that is cleared may be newer than what somebody else
// has to whom it was not, and must not be overwritten by that: an owned one, where not
// all have cleared (Forget), or somebody may come back who has not (Remember).
func (s *shard) missed(r *record) bool {
	return r.kind() == Owned && (s.store.remember.Load() || r.generation >= s.store.generations.forgotten.of(r.cache))
}

// entomb puts a tombstone of its version into a record's place.
func (s *shard) entomb(r *record, t *moment) *record {
	ref := r.ref()
	tomb := newRecord(&ref, &Entry{
		Kind: Owned, Tombstone: true, Version: r.version, Generation: s.store.generations.of(r.cache), Expires: t.now() + missedFor,
	})
	s.replace(r, tomb)
	return tomb
}

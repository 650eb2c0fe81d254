package cache

import (
	"fmt"
	"sync"
)

// shardPad makes a shard a whole number of cache lines (where a word has 64
// bits), so that the locks of two are not in the same one. TestShardSize sees
// to it.
const shardPad = 56

// shard is one part of a store, with the whole of some slots.
type shard struct {
	mu    sync.Mutex // guards all that follows but the last three
	held  [kindCount]holding
	slots []slot
	bytes int64 // over all kinds; never above share

	tombstones int

	store *Store // these do not change
	share int64

	_ [shardPad]byte
}

func (s *shard) init(store *Store, share int64) {
	s.store, s.share = store, share
	s.slots = make([]slot, Slots/len(store.shards))
	for i := range s.slots {
		s.slots[i].due = never
	}
}

// live returns a key's record if it has not ended, without using it; what has
// ended is buried.
func (s *shard) live(kind Kind, ref *Ref, t *moment) *record {
	r := s.find(kind, ref)
	if r == nil {
		return nil
	}
	if end := s.ended(r, t); end != live {
		return s.bury(r, end, t)
	}
	return r
}

func (s *shard) peek(ref Ref, kind Kind) (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.moment()
	r := s.live(kind, &ref, &t)
	if r == nil {
		return Entry{}, false
	}
	return r.entry(), true
}

func (s *shard) put(ref Ref, e *Entry) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.moment()
	if e.Kind == Near && s.renew(&ref, e, &t) {
		return Stored, nil
	}
	r := s.live(e.Kind, &ref, &t)
	if r != nil && r.version >= e.Version {
		return Older, nil
	}
	if r != nil && s.remembered(r) {
		e.Short = true
	}
	switch s.endOf(ref.Cache, e.Generation, e.Tombstone && !e.Negative, untilOf(e.Kind, e.Expires, e.LeaseEnd), &t) {
	case cleared:
		return Older, nil
	case expired:
		if r != nil {
			s.remove(r)
		}
		if e.Kind == Owned && (e.Short || e.Tombstone && !e.Negative && s.store.remember.Load()) {
			sl := s.slot(ref.Hash)
			sl.floor = max(sl.floor, e.Version)
		}
		return Older, nil
	}
	if e.Tombstone {
		e.Value = nil
	}
	cost := costOf(len(ref.Key), len(e.Value))
	if owned := s.held[Owned].bytes; e.Kind != Owned && owned+cost > s.share {
		return 0, fmt.Errorf("%w: a %s entry of %d bytes does not fit beside %d owned ones into %d", ErrFull, e.Kind, cost, owned, s.share)
	}
	if r == nil {
		s.makeRoom(cost, e.Kind, nil, &t)
		s.enter(newRecord(&ref, e), &t)
		return Stored, nil
	}
	s.makeRoom(cost-r.cost(), e.Kind, r, &t)
	s.replace(r, newRecord(&ref, e))
	return Stored, nil
}

func (s *shard) drop(ref Ref, kinds Kinds) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.moment()
	for kind := range Kind(kindCount) {
		if kinds&(1<<kind) == 0 {
			continue
		}
		if r := s.live(kind, &ref, &t); r != nil {
			was = true
			s.remove(r)
		}
	}
	return was
}

// maxSame bounds how many records of one kind have the same hash, and so what
// finding one costs: who can choose keys can choose them so.
const maxSame = 16

// enter adds a record. Where it would be one too many of its hash, the one of
// them with the lowest version goes.
func (s *shard) enter(r *record, t *moment) {
	if lowest, n := s.same(r); n >= maxSame {
		s.evict(lowest, t)
	}
	s.held[r.kind()].add(r)
	s.count(r)
	s.insert(r, int(s.list(r).count))
}

// same returns how many records have the same kind and hash as r, and the one
// with the lowest version.
func (s *shard) same(r *record) (lowest *record, n int) {
	s.home(r).walk(s.store.spot(r.hash), func(x *record) bool {
		if x.hash == r.hash {
			if n++; lowest == nil || x.version < lowest.version {
				lowest = x
			}
		}
		return false
	})
	return lowest, n
}

// replace puts a record into the place of an older one with the same name.
func (s *shard) replace(old, r *record) {
	s.held[r.kind()].order.replace(old, r)
	s.discount(old)
	s.count(r)
	s.home(r).replace(s.store.spot(r.hash), old, r)
}

// remove takes a record out.
func (s *shard) remove(r *record) {
	s.held[r.kind()].order.remove(r)
	s.discount(r)
	s.extract(r, int(s.list(r).count))
}

// count and discount keep the sums right while a record comes, changes or goes.
func (s *shard) count(r *record) {
	k, sl, cost := &s.held[r.kind()], s.slot(r.hash), r.cost()
	k.count++
	k.peak = max(k.peak, k.count)
	k.bytes += cost
	s.bytes += cost
	if r.tombstone() {
		s.tombstones++
	}
	l := &sl.lists[r.kind()]
	l.count++
	l.sum += mark(r.hash, r.version, r.tombstone())
	sl.due = min(sl.due, r.until())
}

func (s *shard) discount(r *record) {
	k, l, cost := &s.held[r.kind()], s.list(r), r.cost()
	k.count--
	k.bytes -= cost
	s.bytes -= cost
	if r.tombstone() {
		s.tombstones--
	}
	l.count--
	l.sum -= mark(r.hash, r.version, r.tombstone())
}

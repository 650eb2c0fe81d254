package cache

import (
	"fmt"
	"sync"
)

// shardPad makes a shard a whole number of cache lines (where a word has 64
// bits), so that what a hit writes, the lock and the first counters, is in one
// line and shares it with no other shard. TestShardSize sees to it.
const shardPad = 8 + 128

// shard is one part of a store, with the whole of some slots.
type shard struct {
	mu    sync.Mutex // guards all that follows but the last three
	held  [kindCount]holding
	slots []slot
	links links
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
	s.renew()
}

func (s *shard) renew() {
	for i := range s.held {
		s.held[i].renew()
	}
	s.links = links{}
}

// live returns a key's record if it has not ended, without using it; what has
// ended is removed.
func (s *shard) live(kind Kind, ref *Ref, t *moment) *record {
	r := s.held[kind].find(ref)
	if r == nil {
		return nil
	}
	if end := s.ended(r, t); end != live {
		s.bury(ref.Hash, r, end)
		return nil
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
	r := s.live(e.Kind, &ref, &t)
	if r != nil && r.version >= e.Version {
		return Older, nil
	}
	switch s.endOf(ref.Cache, e.Generation, untilOf(e.Kind, e.Expires, e.LeaseEnd), &t) {
	case cleared:
		return Older, nil
	case expired:
		if r != nil {
			s.remove(ref.Hash, r)
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
		r = newRecord(&ref, s.links.take(ref.Hash))
		r.set(e)
		s.enter(ref.Hash, r, &t)
		return Stored, nil
	}
	s.held[e.Kind].use(ref.Hash) // so that it is not the one to go
	s.makeRoom(cost-r.cost(), e.Kind, r, &t)
	s.discount(ref.Hash, r)
	r.set(e)
	s.count(ref.Hash, r)
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
			s.remove(ref.Hash, r)
		}
	}
	return was
}

// enter adds a record whose link is in no list yet.
func (s *shard) enter(hash uint64, r *record, t *moment) {
	k := &s.held[r.kind()]
	if same := k.more[hash]; len(same) >= maxSame-1 {
		s.evict(hash, same[len(same)-1], t)
	}
	k.add(hash, r)
	s.pushFront(hash, r)
	s.count(hash, r)
}

// leave takes a record out; its link can be used again.
func (s *shard) leave(hash uint64, r *record) {
	s.discount(hash, r)
	s.unlink(hash, r)
	s.held[r.kind()].remove(hash, r)
}

// remove takes a record out for good.
func (s *shard) remove(hash uint64, r *record) {
	s.leave(hash, r)
	s.links.give(r.link)
}

// count and discount keep the sums right while a record comes, changes or goes.
func (s *shard) count(hash uint64, r *record) {
	k, sl, cost := &s.held[r.kind()], s.slot(hash), r.cost()
	k.count++
	k.bytes += cost
	s.bytes += cost
	if r.tombstone() {
		s.tombstones++
	}
	l := &sl.lists[r.kind()]
	l.count++
	l.sum += mark(hash, r.version)
	sl.due = min(sl.due, r.until())
}

func (s *shard) discount(hash uint64, r *record) {
	k, l, cost := &s.held[r.kind()], &s.slot(hash).lists[r.kind()], r.cost()
	k.count--
	k.bytes -= cost
	s.bytes -= cost
	if r.tombstone() {
		s.tombstones--
	}
	l.count--
	l.sum -= mark(hash, r.version)
}

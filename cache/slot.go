package cache

import (
	"slices"
	"time"
)

// slot is what a shard keeps of one slot.
type slot struct {
	lists [kindCount]list
	floor uint64
	// Until due, and while generations.raises is raises, nothing in the lists has
	// ended.
	due    time.Duration
	raises uint64
}

// list sums up the records of one slot and kind, which are in the index.
type list struct {
	count uint32
	sum   uint64
}

// mark stands for an entry in the sum of a digest. A tombstone may have the version of
// the entry whose place it has taken.
func mark(hash, version uint64, tombstone bool) uint64 {
	if tombstone {
		version = ^version
	}
	return mix(hash ^ mix(version^0x9e3779b97f4a7c15))
}

// mix spreads every bit over all others: MurmurHash3's 64-bit finalizer.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (s *shard) slot(hash uint64) *slot { return &s.slots[hash%Slots>>s.store.shift] }

func (s *shard) list(r *record) *list { return &s.slot(r.hash).lists[r.kind()] }

// each calls f with every record of a slot and kind; f may remove it. What f
// adds may come or not.
func (s *shard) each(slot int, kind Kind, f func(r *record)) {
	s.store.index[kind][uint64(slot)%Slots].each(f)
}

// settle removes what has ended from a slot, if anything has.
func (s *shard) settle(slot int, sl *slot, t *moment) {
	raises := s.store.generations.raises.Load()
	if raises == sl.raises && (sl.due == never || t.now() < sl.due) {
		return
	}
	due := never
	for kind := range Kind(kindCount) {
		s.each(slot, kind, func(r *record) {
			if end := s.ended(r, t); end != live {
				r = s.bury(r, end, t)
			}
			if r != nil {
				due = min(due, r.until())
			}
		})
	}
	sl.due, sl.raises = due, raises
}

// lockSlot returns a slot and its shard, which the caller unlocks. Numbers are
// taken modulo Slots.
func (s *Store) lockSlot(number int) (*shard, *slot) {
	hash := uint64(number)
	sh := s.shard(hash)
	sh.mu.Lock()
	return sh, sh.slot(hash)
}

// AppendSlot appends the live entries and tombstones that a slot has of these
// kinds, in no order.
func (s *Store) AppendSlot(dst []Item, slot int, kinds Kinds) []Item {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	t := sh.moment()
	sh.settle(slot, sl, &t)
	for kind := range Kind(kindCount) {
		if kinds&(1<<kind) == 0 {
			continue
		}
		dst = slices.Grow(dst, int(sl.lists[kind].count))
		sh.each(slot, kind, func(r *record) {
			dst = append(dst, Item{Ref: r.ref(), Entry: r.entry()})
		})
	}
	return dst
}

// DropSlot removes all that a slot has of these kinds. The floor stays.
func (s *Store) DropSlot(slot int, kinds Kinds) {
	sh, _ := s.lockSlot(slot)
	defer sh.mu.Unlock()
	for kind := range Kind(kindCount) {
		if kinds&(1<<kind) != 0 {
			sh.each(slot, kind, sh.remove)
		}
	}
}

// Digest returns the digest of the live entries and tombstones that a slot has
// of these kinds. It is kept up to date as they come and go: where nothing has
// ended since the last time, it does not look at them.
func (s *Store) Digest(slot int, kinds Kinds) Digest {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	t := sh.moment()
	sh.settle(slot, sl, &t)
	var d Digest
	for kind := range sl.lists {
		if kinds&(1<<kind) != 0 {
			d.Count += sl.lists[kind].count
			d.Sum += sl.lists[kind].sum
		}
	}
	return d
}

// Promote makes the staged entries of a slot owned. A live owned one that is as
// new stays instead.
func (s *Store) Promote(slot int) {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	t := sh.moment()
	sh.settle(slot, sl, &t)
	sh.each(slot, Staged, func(r *record) {
		ref := r.ref()
		short := uint8(0)
		if own := sh.find(Owned, &ref); own != nil {
			if own.version >= r.version {
				sh.remove(r)
				return
			}
			if sh.remembered(own) {
				short = bitShort
			}
			sh.remove(own)
		}
		sh.remove(r)
		r.bits = r.bits&^kindBits | uint8(Owned) | short // no reader has seen it yet
		sh.enter(r, &t)
	})
}

// Floor returns the highest version that the slot may have had and forgotten:
// of what was evicted before its time, and what RaiseFloor named.
func (s *Store) Floor(slot int) uint64 {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	return sl.floor
}

// Remember says whether somebody may come back who has not heard of deletions and
// clears. Then what is owned and cleared becomes a tombstone of its version, and the
// tombstones that expire raise their slot's floor, so that nothing older comes back
// with it.
func (s *Store) Remember(on bool) { s.remember.Store(on) }

// RaiseFloor raises a slot's floor to a version, and never lowers it.
func (s *Store) RaiseFloor(slot int, version uint64) {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	sl.floor = max(sl.floor, version)
}

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

// list goes through the records of one slot and kind, the last one first.
type list struct {
	head  handle
	count uint32
	sum   uint64
}

// mark stands for an entry in the sum of a digest.
func mark(hash, version uint64) uint64 { return mix(hash ^ mix(version^0x9e3779b97f4a7c15)) }

// mix spreads every bit over all others: MurmurHash3's 64-bit finalizer.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (s *shard) slot(hash uint64) *slot { return &s.slots[hash%Slots>>s.store.shift] }

func (s *shard) pushFront(hash uint64, r *record) {
	l, at := &s.slot(hash).lists[r.kind()], s.links.at(r.link)
	at.prev, at.next = 0, l.head
	if l.head != 0 {
		s.links.at(l.head).prev = r.link
	}
	l.head = r.link
}

func (s *shard) unlink(hash uint64, r *record) {
	at := s.links.at(r.link)
	if at.prev != 0 {
		s.links.at(at.prev).next = at.next
	} else {
		s.slot(hash).lists[r.kind()].head = at.next
	}
	if at.next != 0 {
		s.links.at(at.next).prev = at.prev
	}
}

// each calls f with every record of a slot and kind; f may remove it.
func (s *shard) each(sl *slot, kind Kind, f func(hash uint64, r *record)) {
	for h := sl.lists[kind].head; h != 0; {
		at := *s.links.at(h)
		f(at.hash, s.held[kind].linked(at.hash, h))
		h = at.next
	}
}

// settle removes what has ended from a slot, if anything has.
func (s *shard) settle(sl *slot, t *moment) {
	raises := s.store.generations.raises.Load()
	if raises == sl.raises && (sl.due == never || t.now() < sl.due) {
		return
	}
	due := never
	for kind := range Kind(kindCount) {
		s.each(sl, kind, func(hash uint64, r *record) {
			if end := s.ended(r, t); end != live {
				s.bury(hash, r, end)
			} else {
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
	sh.settle(sl, &t)
	for kind := range Kind(kindCount) {
		if kinds&(1<<kind) == 0 {
			continue
		}
		dst = slices.Grow(dst, int(sl.lists[kind].count))
		sh.each(sl, kind, func(hash uint64, r *record) {
			dst = append(dst, Item{Ref: r.ref(hash), Entry: r.entry()})
		})
	}
	return dst
}

// DropSlot removes all that a slot has of these kinds. The floor stays.
func (s *Store) DropSlot(slot int, kinds Kinds) {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	for kind := range Kind(kindCount) {
		if kinds&(1<<kind) != 0 {
			sh.each(sl, kind, sh.remove)
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
	sh.settle(sl, &t)
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
	sh.settle(sl, &t)
	sh.each(sl, Staged, func(hash uint64, r *record) {
		ref := r.ref(hash)
		if own := sh.held[Owned].find(&ref); own != nil {
			if own.version >= r.version {
				sh.remove(hash, r)
				return
			}
			sh.remove(hash, own)
		}
		sh.leave(hash, r)
		r.bits = r.bits&^kindBits | uint8(Owned)
		sh.enter(hash, r, &t)
	})
}

// Floor returns the highest version that the slot may have had and forgotten:
// of what was evicted before its time, and what RaiseFloor named.
func (s *Store) Floor(slot int) uint64 {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	return sl.floor
}

// RaiseFloor raises a slot's floor to a version, and never lowers it.
func (s *Store) RaiseFloor(slot int, version uint64) {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	sl.floor = max(sl.floor, version)
}

package protocol

import (
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
)

// A member that is going to own a slot copies it ahead, while the owner goes
// on serving: it registers as a stager, fetches the slot's entries, and is
// sent every change from then on. What it has is Staged: never served, and
// never one of the copies that count. It only saves the grant from carrying
// it, where the digests turn out equal. So a change that is lost on the way,
// or overtaken, costs time and nothing else.

// AddStager notes that m copies the slot ahead. It returns false where this
// node does not serve the slot.
func (s *Slot) AddStager(m Member) bool {
	if !s.active {
		return false
	}
	if !contains(s.stagers, m) {
		s.stagers = append(s.stagers, m)
	}
	return true
}

// keepStagers forgets who copied this slot ahead for the table that has come: all
// but those who are still joining, and those who are its backups now, until they
// are up to date. Who copied it for another has to ask again.
func (s *Slot) keepStagers(old *Table) {
	if !s.active {
		s.stagers = nil
	}
	t := s.table
	s.stagers = slices.DeleteFunc(s.stagers, func(m Member) bool {
		joins := contains(t.Reach, m) && !contains(t.Members, m)
		return !joins && !contains(s.backups, m) && old.Digest != t.Digest
	})
}

// stage sends a key's new state to those who copy the slot ahead.
func (s *Slot) stage(ref cache.Ref, now time.Duration, out *Out) {
	if len(s.stagers) == 0 {
		return
	}
	m := Message{Kind: Stage, Slot: s.num, Ref: ref}
	if e, ok := s.sh.Memory.Peek(ref, cache.Owned); ok {
		m.Content = []Item{itemOf(cache.Item{Ref: ref, Entry: e}, now)}
	}
	for _, to := range s.stagers {
		out.send(to, m)
	}
}

// onStage takes a change of a slot that this node copies ahead.
func (s *Slot) onStage(m *Message, now time.Duration) {
	if s.copied() {
		return
	}
	if len(m.Content) == 0 {
		s.sh.Memory.Drop(m.Ref, cache.StagedOnly)
		return
	}
	s.Staged(m.Content, now)
}

// copied tells whether copying ahead is over: this node serves the slot, or it
// has compared what it has staged with the copy that counts. What comes late
// may be older than that copy.
func (s *Slot) copied() bool {
	return s.active || s.take != nil && s.take.collecting || s.filling != nil
}

// Staged takes items that were copied ahead.
func (s *Slot) Staged(items []Item, now time.Duration) {
	if !s.copied() {
		s.putStaged(items, now)
	}
}

func (s *Slot) putStaged(items []Item, now time.Duration) {
	for i := range items {
		_, _ = s.sh.Memory.Put(items[i].Ref, items[i].entry(cache.Staged, now)) // what does not fit is fetched again or forgotten
	}
}

// Content lists what this node has of the slot, for a member that copies it.
func (s *Slot) Content(now time.Duration) []Item {
	held := s.sh.Memory.AppendSlot(nil, s.num, cache.OwnedOnly)
	items := make([]Item, len(held))
	for i := range held {
		items[i] = itemOf(held[i], now)
	}
	return items
}

// ItemOf is an entry as it goes to another member.
func ItemOf(it cache.Item, now time.Duration) Item { return itemOf(it, now) }

func itemOf(it cache.Item, now time.Duration) Item {
	return Item{
		Ref: it.Ref, Value: it.Entry.Value, Version: it.Entry.Version, Count: it.Entry.Generation,
		Left: left(it.Entry.Expires, now), Tombstone: it.Entry.Tombstone, Negative: it.Entry.Negative,
		Short: it.Entry.Short,
	}
}

func (it *Item) entry(kind cache.Kind, now time.Duration) cache.Entry {
	return cache.Entry{
		Kind: kind, Version: it.Version, Generation: it.Count, Value: it.Value,
		Expires: until(it.Left, now), Tombstone: it.Tombstone, Negative: it.Negative, Short: it.Short,
	}
}

// size is what the item takes in a frame, about.
func (it *Item) size() int { return len(it.Ref.Key) + len(it.Value) + 48 }

package cache

import "testing"

// What is older than what a clear has removed, and comes from one who has cleared more
// often, or has not heard of it, does not take its place (P3), until all have cleared.
func TestForget(t *testing.T) {
	for _, told := range []bool{false, true} {
		s, clock := open(t, Config{})
		here, there := inSlot(3, 0), inSlot(3, 1)
		put(t, s, here, Entry{Version: 20, Value: []byte("here")})
		put(t, s, there, Entry{Version: 20, Value: []byte("here")})
		staged := there
		put(t, s, staged, Entry{Kind: Staged, Version: 20})
		before := s.Digest(3, OwnedOnly)
		s.RaiseGeneration(0, 4)
		if told && !s.Forget(0, 4) {
			t.Error("it is remembered where nobody is missed")
		}
		if _, ok := s.Get(Owned, here.Hash, 0, here.Key); ok {
			t.Errorf("told %v: a hit", told)
		}
		if _, err := s.Put(here, Entry{Version: 10, Generation: 4}); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Get(Owned, here.Hash, 0, here.Key); ok != told {
			t.Errorf("told %v: what is older is there: %v", told, ok)
		}
		put(t, s, there, Entry{Version: 30, Generation: 4})
		if _, ok := s.Get(Owned, there.Hash, 0, there.Key); !ok {
			t.Errorf("told %v: what is newer is not there", told)
		}
		if !told && s.Digest(3, OwnedOnly) == before {
			t.Error("the digest is the same with another version")
		}
		if has(s, staged, Staged) || s.Floor(3) != 0 {
			t.Errorf("told %v: floor %d", told, s.Floor(3))
		}
		clock.at += missedFor
		s.DropSlot(3, StagedOnly)
		if e, ok := s.Peek(here, Owned); ok && e.Tombstone {
			t.Error("it is remembered for ever")
		}
	}
}

// Nor does it win where this node has cleared too while somebody was missed.
func TestClearedWhileOneIsMissed(t *testing.T) {
	s, clock := open(t, Config{})
	put(t, s, inSlot(3, 0), Entry{Version: 20, Value: []byte("here")})
	put(t, s, inSlot(4, 0), Entry{Version: 20, Value: []byte("here")})
	s.Remember(true)
	s.RaiseGeneration(0, 1)
	if s.Forget(0, 1) {
		t.Error("it is forgotten")
	}
	if e, ok := s.Peek(inSlot(3, 0), Owned); !ok || !e.Tombstone || e.Negative || e.Version != 20 {
		t.Errorf("what is left is %+v, %v", e, ok)
	}
	if r, err := s.Put(inSlot(4, 0), Entry{Version: 10, Generation: 2}); r != Older || err != nil {
		t.Errorf("what is older: %v, %v", r, err)
	}
	put(t, s, inSlot(4, 0), Entry{Version: 30, Generation: 1, Value: []byte("new")})
	if e, ok := s.Peek(inSlot(4, 0), Owned); !ok || e.Tombstone {
		t.Errorf("what is newer: %+v, %v", e, ok)
	}
	clock.at += missedFor
	if s.AppendSlot(nil, 3, AllKinds) != nil || s.Floor(3) != 20 {
		t.Errorf("it has ended, and the floor is %d", s.Floor(3))
	}
}

// What takes the place of such a tombstone, and ends, leaves its version in the floor:
// it had no longer life, but the tombstone would have left its own.
func TestTombstoneIsOverwrittenWhileOneIsMissed(t *testing.T) {
	for _, promoted := range []bool{false, true} {
		s, clock := open(t, Config{})
		s.Remember(true)
		put(t, s, inSlot(3, 0), Entry{Version: 20, Value: []byte("here")})
		s.RaiseGeneration(0, 1)
		e := Entry{Version: 30, Generation: 1, Value: []byte("new"), Expires: clock.at + 2*missedFor}
		if promoted {
			s.Peek(inSlot(3, 0), Owned)
			e.Kind = Staged
		}
		put(t, s, inSlot(3, 0), e)
		if promoted {
			s.Promote(3)
		}
		clock.at += 2 * missedFor
		if s.AppendSlot(nil, 3, AllKinds) != nil || s.Floor(3) != 30 {
			t.Errorf("promoted %v: it has ended, and the floor is %d", promoted, s.Floor(3))
		}
	}
}

// What does not fit as a tombstone leaves its version in the floor.
func TestClearedIsEvicted(t *testing.T) {
	s, _ := open(t, Config{Budget: 4 * costOf(MaxKey, 300), MaxValue: 300})
	put(t, s, inSlot(3, 0), Entry{Version: 20, Value: make([]byte, 300)})
	s.RaiseGeneration(0, 1)
	for i := range 200 {
		put(t, s, inSlot(4, i), Entry{Version: uint64(100 + i), Generation: 1, Value: make([]byte, 300)})
	}
	if _, ok := s.Peek(inSlot(3, 0), Owned); ok || s.Floor(3) != 20 {
		t.Errorf("there: %v, floor %d", ok, s.Floor(3))
	}
}

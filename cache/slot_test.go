package cache

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
)

// inSlot returns the i-th ref of a slot.
func inSlot(slot, i int) Ref {
	return Ref{Hash: uint64(i+1)*Slots | uint64(slot), Key: fmt.Sprintf("%d/%d", slot, i)}
}

func versions(items []Item) []uint64 {
	var v []uint64
	for _, it := range items {
		v = append(v, it.Entry.Version)
	}
	slices.Sort(v)
	return v
}

func TestAppendSlot(t *testing.T) {
	s, clock := open(t, Config{})
	for i, e := range []Entry{
		{Version: 10, Value: []byte("a"), Expires: 5000, Generation: 2},
		{Version: 11, Tombstone: true, Expires: 5000},
		{Version: 12, Kind: Staged},
		{Version: 13, Kind: Near, LeaseEnd: 5000},
		{Version: 14, Expires: 1500},
		{Version: 15, Kind: Near, LeaseEnd: 1500},
	} {
		put(t, s, inSlot(77, i), e)
	}
	put(t, s, inSlot(78, 0), Entry{Version: 20})
	put(t, s, Ref{Hash: 77 + 64, Key: "same shard"}, Entry{Version: 21})
	clock.at = 1500
	for _, c := range []struct {
		kinds Kinds
		want  []uint64
	}{
		{OwnedOnly, []uint64{10, 11}},
		{StagedOnly, []uint64{12}},
		{NearOnly, []uint64{13}},
		{AllKinds, []uint64{10, 11, 12, 13}},
		{0, nil},
	} {
		if got := versions(s.AppendSlot(nil, 77, c.kinds)); !slices.Equal(got, c.want) {
			t.Errorf("kinds %b: %v, want %v", c.kinds, got, c.want)
		}
	}
	items := s.AppendSlot([]Item{{}}, 77, OwnedOnly)
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Entry.Version, b.Entry.Version) })
	if it := items[1]; len(items) != 3 || it.Ref != inSlot(77, 0) || string(it.Entry.Value) != "a" || it.Entry.Expires != 5000 || it.Entry.Generation != 2 {
		t.Errorf("%+v", items)
	}
	if !items[2].Entry.Tombstone {
		t.Errorf("%+v", items[2])
	}
	if st := s.Stats(); st.Owned.Expirations != 1 || st.Near.Expirations != 1 {
		t.Errorf("%+v", st)
	}
}

func TestDropSlot(t *testing.T) {
	s, _ := open(t, Config{})
	for i := range 10 {
		for _, slot := range []int{0, 5, Slots - 1} {
			put(t, s, inSlot(slot, i), Entry{Version: 1})
			put(t, s, inSlot(slot, i), Entry{Version: 1, Kind: Staged})
		}
	}
	s.RaiseFloor(5, 40)
	s.DropSlot(5, OwnedOnly)
	s.DropSlot(Slots-1, AllKinds)
	s.DropSlot(6, AllKinds)
	for _, c := range []struct {
		slot  int
		kinds Kinds
		want  int
	}{{0, AllKinds, 20}, {5, OwnedOnly, 0}, {5, StagedOnly, 10}, {Slots - 1, AllKinds, 0}, {-1, AllKinds, 0}} {
		if n := len(s.AppendSlot(nil, c.slot, c.kinds)); n != c.want {
			t.Errorf("slot %d has %d of kinds %b, want %d", c.slot, n, c.kinds, c.want)
		}
	}
	if s.Floor(5) != 40 || s.Floor(Slots-1) != 0 {
		t.Errorf("floors are %d and %d", s.Floor(5), s.Floor(Slots-1))
	}
}

func TestDigest(t *testing.T) {
	a, clock := open(t, Config{})
	b, _ := open(t, Config{Budget: 1 << 30, Clock: clock.now})
	same := func(want bool) {
		t.Helper()
		if got := a.Digest(3, OwnedOnly) == b.Digest(3, StagedOnly); got != want {
			t.Errorf("equal: %v, want %v", got, want)
		}
	}
	same(true)
	for i := range 100 {
		put(t, a, inSlot(3, i), Entry{Version: uint64(i)})
		put(t, b, inSlot(3, 99-i), Entry{Version: uint64(99 - i), Kind: Staged})
	}
	same(true) // whatever the order
	if d := a.Digest(3, AllKinds); d.Count != 100 || d != a.Digest(3, OwnedOnly) {
		t.Errorf("%+v", d)
	}
	put(t, a, inSlot(3, 7), Entry{Version: 1000, Tombstone: true, Expires: 2000})
	same(false)
	put(t, b, inSlot(3, 7), Entry{Version: 1000, Kind: Staged, Tombstone: true, Expires: 2000})
	same(true)
	// The versions of two entries the other way round are something else.
	put(t, a, inSlot(3, 8), Entry{Version: 2001})
	put(t, a, inSlot(3, 9), Entry{Version: 2002})
	put(t, b, inSlot(3, 8), Entry{Version: 2002, Kind: Staged})
	put(t, b, inSlot(3, 9), Entry{Version: 2001, Kind: Staged})
	same(false)
	a.Drop(inSlot(3, 8), AllKinds)
	a.Drop(inSlot(3, 9), AllKinds)
	b.Drop(inSlot(3, 8), AllKinds)
	b.Drop(inSlot(3, 9), AllKinds)
	same(true)
	// What has ended does not count, swept or not.
	put(t, a, inSlot(3, 200), Entry{Version: 1, Expires: 3000})
	same(false)
	clock.at = 3000
	b.Drop(inSlot(3, 7), AllKinds)
	same(true)
	put(t, a, Ref{Hash: inSlot(3, 201).Hash, Cache: 9}, Entry{Version: 1})
	same(false)
	clearIn(a, 9, 1)
	same(true)
	a.DropSlot(3, AllKinds)
	if d := a.Digest(3, AllKinds); d != (Digest{}) {
		t.Errorf("the digest of nothing is %+v", d)
	}
}

func TestPromote(t *testing.T) {
	s, clock := open(t, Config{})
	tomb := func(v uint64) Entry { return Entry{Version: v, Tombstone: true, Expires: 9000} }
	staged := func(e Entry) Entry { e.Kind = Staged; return e }
	cases := []struct {
		owned, staged Entry
		want          uint64
	}{
		{staged: Entry{Version: 5}, want: 5},
		{owned: Entry{Version: 4}, staged: Entry{Version: 5}, want: 5},
		{owned: Entry{Version: 5, Value: []byte("own")}, staged: Entry{Version: 5}, want: 5},
		{owned: Entry{Version: 6}, staged: Entry{Version: 5}, want: 6},
		{owned: tomb(6), staged: Entry{Version: 5}, want: 6},
		{owned: Entry{Version: 5}, staged: tomb(6), want: 6},
		{owned: Entry{Version: 6, Expires: 1100}, staged: Entry{Version: 5}, want: 5},
		{owned: Entry{Version: 4}, staged: Entry{Version: 5, Expires: 1100}, want: 4},
	}
	for i, c := range cases {
		if c.owned.Version > 0 {
			put(t, s, inSlot(9, i), c.owned)
		}
		put(t, s, inSlot(9, i), staged(c.staged))
	}
	put(t, s, inSlot(10, 0), Entry{Version: 1, Kind: Staged})
	before := s.Stats()
	clock.at = 1100
	s.Promote(9)
	if len(s.AppendSlot(nil, 9, StagedOnly)) != 0 || has(s, inSlot(10, 0), Owned) || s.Floor(9) != 0 {
		t.Errorf("left %v, floor %d", s.AppendSlot(nil, 9, StagedOnly), s.Floor(9))
	}
	if st := s.Stats(); st.Owned.Evictions+st.Staged.Evictions != 0 || st.Owned.Entries != 8 || before.Staged.Entries != 9 {
		t.Errorf("%+v", st)
	}
	for i, c := range cases {
		if e, ok := s.Peek(inSlot(9, i), Owned); !ok || e.Version != c.want || e.Kind != Owned {
			t.Errorf("case %d: %+v, %v; want version %d", i, e, ok, c.want)
		}
	}
}

func TestFloor(t *testing.T) {
	s, _ := open(t, Config{})
	for _, v := range []uint64{5, 3, 9, 9} {
		s.RaiseFloor(Slots-1, v)
	}
	if s.Floor(Slots-1) != 9 || s.Floor(Slots-2) != 0 {
		t.Errorf("%d, %d", s.Floor(Slots-1), s.Floor(Slots-2))
	}
}

// An owned entry that took the place of one that could have lived longer leaves
// the floor when its time is over, however that is noticed.
func TestShortEntriesRaiseTheFloor(t *testing.T) {
	for name, notice := range map[string]func(s *Store, ref Ref){
		"get":    func(s *Store, ref Ref) { s.Get(Owned, ref.Hash, ref.Cache, ref.Key) },
		"peek":   func(s *Store, ref Ref) { s.Peek(ref, Owned) },
		"digest": func(s *Store, _ Ref) { s.Digest(77, AllKinds) },
		"sweep":  func(s *Store, _ Ref) { s.sweepSlot(77) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				e    Entry
				want uint64
			}{
				{Entry{Version: 7, Expires: 1500, Short: true}, 7},
				{Entry{Version: 7, Expires: 1500, Short: true, Tombstone: true}, 7},
				{Entry{Version: 7, Expires: 1500}, 0},
				{Entry{Version: 7, Expires: 1500, Short: true, Kind: Staged}, 0},
			} {
				s, clock := open(t, Config{})
				put(t, s, inSlot(77, 0), c.e)
				clock.at = 1499
				notice(s, inSlot(77, 0))
				if s.Floor(77) != 0 {
					t.Errorf("%+v: the floor is %d before its end", c.e, s.Floor(77))
				}
				clock.at = 1500
				notice(s, inSlot(77, 0))
				if got := s.Floor(77); got != c.want {
					t.Errorf("%+v: the floor is %d, want %d", c.e, got, c.want)
				}
			}
		})
	}
	s, _ := open(t, Config{})
	e := Entry{Version: 7, Expires: 1500, Short: true}
	put(t, s, inSlot(77, 0), Entry{Version: 7, Expires: 1500, Short: true, Kind: Staged})
	s.Promote(77)
	if got, _ := s.Peek(inSlot(77, 0), Owned); got.Short != e.Short {
		t.Error("what is promoted has forgotten that it is short")
	}
}

// A deletion that has expired leaves its version in the floor while somebody may
// come back who has not heard of it.
func TestRemember(t *testing.T) {
	s, clock := open(t, Config{})
	for i, e := range []Entry{
		{Version: 10, Tombstone: true, Expires: 1500},
		{Version: 11, Tombstone: true, Negative: true, Expires: 1500},
		{Version: 12, Kind: Near, LeaseEnd: 1500},
		{Version: 13, Expires: 1500, Value: []byte("v")},
	} {
		put(t, s, inSlot(77, i), e)
		put(t, s, inSlot(78, i), e)
	}
	s.Remember(true)
	clock.at = 1500
	s.AppendSlot(nil, 77, AllKinds)
	s.Remember(false)
	s.AppendSlot(nil, 78, AllKinds)
	if got := s.Floor(77); got != 10 {
		t.Errorf("the floor is %d, not that of the tombstone", got)
	}
	if got := s.Floor(78); got != 0 {
		t.Errorf("the floor is %d", got)
	}
}

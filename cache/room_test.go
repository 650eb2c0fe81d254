package cache

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// sized returns an entry that is charged with the size given, under sizedRef.
func sized(kind Kind, version uint64, size int64) Entry {
	return Entry{Kind: kind, Version: version, Value: make([]byte, size-Overhead-8), LeaseEnd: 1 << 40}
}

func sizedRef(i int) Ref { return Ref{Hash: uint64(i)*Slots | uint64(i), Key: fmt.Sprintf("%8d", i)} }

const roomy = 40_000 // the share of the shard in these tests

func room(t *testing.T) (*Store, *handClock) {
	s, c := open(t, oneShard(roomy, 5000))
	if n := s.Stats().Shards; n != 1 {
		t.Fatalf("%d shards", n)
	}
	return s, c
}

func TestOverwriteCountsOnce(t *testing.T) {
	s, _ := room(t)
	for i, size := range []int64{1000, 5000, 300, 1000, 1000} {
		put(t, s, sizedRef(1), sized(Owned, uint64(i+1), size))
		if st := s.Stats(); st.Bytes != size || st.Owned.Bytes != size || st.Owned.Entries != 1 {
			t.Errorf("write %d of %d bytes: %+v", i, size, st)
		}
	}
	put(t, s, sizedRef(1), Entry{Version: 9, Tombstone: true, Expires: 1 << 40, Value: []byte("has none")})
	if st := s.Stats(); st.Bytes != Overhead+8 || st.Tombstones != 1 {
		t.Errorf("a tombstone: %+v", st)
	}
	put(t, s, sizedRef(1), sized(Owned, 10, 1000))
	if st := s.Stats(); st.Bytes != 1000 || st.Tombstones != 0 || st.Owned.Evictions != 0 {
		t.Errorf("%+v", st)
	}
}

func TestNearGoesFirstThenStagedThenOwned(t *testing.T) {
	s, _ := room(t)
	for i := range 4 { // the owned ones are the least recently used
		put(t, s, sizedRef(i), sized(Owned, uint64(i+1), 5000))
	}
	for i := range 2 {
		put(t, s, sizedRef(i), sized(Staged, 1, 5000))
		put(t, s, sizedRef(i), sized(Near, 1, 5000))
	}
	s.Get(Near, sizedRef(0).Hash, 0, sizedRef(0).Key)
	s.Get(Owned, sizedRef(0).Hash, 0, sizedRef(0).Key)
	s.Peek(sizedRef(1), Owned) // no use
	for i, want := range []struct{ owned, staged, near int }{
		{5, 2, 1}, {6, 2, 0}, {7, 1, 0}, {8, 0, 0}, {8, 0, 0}, {8, 0, 0},
	} {
		put(t, s, sizedRef(10+i), sized(Owned, 100, 5000))
		if st := s.Stats(); st.Owned.Entries != want.owned || st.Staged.Entries != want.staged || st.Near.Entries != want.near {
			t.Fatalf("after %d: %+v, want %+v", i+1, st, want)
		}
		if i == 0 && !has(s, sizedRef(0), Near) {
			t.Error("the near copy that was used last went first")
		}
	}
	for i, want := range []struct {
		kept  bool
		floor uint64
	}{{true, 0}, {false, 2}, {false, 3}, {true, 0}} {
		if has(s, sizedRef(i), Owned) != want.kept || s.Floor(i) != want.floor {
			t.Errorf("entry %d: kept %v, floor %d; want %+v", i, has(s, sizedRef(i), Owned), s.Floor(i), want)
		}
	}
	if st := s.Stats(); st.Owned.Evictions != 2 || st.Staged.Evictions != 2 || st.Near.Evictions != 2 {
		t.Errorf("%+v", st)
	}
}

func TestNearAndStagedGiveUpNothingOwned(t *testing.T) {
	s, _ := room(t)
	for i := range 7 {
		put(t, s, sizedRef(i), sized(Owned, 1, 5000))
	}
	put(t, s, sizedRef(0), sized(Staged, 1, 2500))
	put(t, s, sizedRef(1), sized(Near, 1, 2500))
	put(t, s, sizedRef(2), sized(Near, 1, 2500)) // for the other near one
	put(t, s, sizedRef(2), sized(Near, 2, 5000)) // for the staged one
	put(t, s, sizedRef(3), sized(Staged, 1, 5000))
	put(t, s, sizedRef(3), sized(Staged, 2, 4000))
	put(t, s, sizedRef(4), sized(Staged, 1, 1000))
	before := s.Stats()
	put(t, s, sizedRef(3), sized(Staged, 3, 5000)) // for the other staged one, not for itself
	put(t, s, sizedRef(9), sized(Owned, 1, 5000))
	for _, kind := range []Kind{Near, Staged} {
		if _, err := s.Put(sizedRef(5), sized(kind, 1, Overhead+8)); !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	st := s.Stats()
	if st.Owned.Entries != 8 || st.Bytes != roomy || st.Owned.Evictions != 0 || before.Staged.Entries != 2 {
		t.Errorf("%+v, before %+v", st, before)
	}
}

func TestErrFullChangesNothing(t *testing.T) {
	s, _ := room(t)
	for i := range 7 {
		put(t, s, sizedRef(i), sized(Owned, 1, 5000))
	}
	put(t, s, sizedRef(7), sized(Owned, 1, 1000))
	put(t, s, sizedRef(1), sized(Near, 1, 2000))
	put(t, s, sizedRef(2), sized(Staged, 1, 2000))
	if _, err := s.Put(sizedRef(1), sized(Near, 2, 5000)); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if e, ok := s.Peek(sizedRef(1), Near); !ok || e.Version != 1 || !has(s, sizedRef(2), Staged) {
		t.Errorf("%+v, %v", e, ok)
	}
}

func TestWhatEndedIsNotEvicted(t *testing.T) {
	for name, end := range map[string]func(*Store, *handClock){
		"expired": func(_ *Store, c *handClock) { c.at = 2000 },
		"cleared": func(s *Store, _ *handClock) { clearIn(s, 0, 1) },
	} {
		s, clock := room(t)
		for i := range 8 {
			e := sized(Owned, 50, 5000)
			e.Expires = 2000
			put(t, s, sizedRef(i), e)
		}
		end(s, clock)
		e := sized(Owned, 1, 5000)
		e.Generation = 1
		put(t, s, sizedRef(100), e)
		if st := s.Stats(); s.Floor(0) != 0 || st.Owned.Evictions != 0 || st.Owned.Expirations+st.Owned.Cleared != 1 {
			t.Errorf("%s: floor %d, %+v", name, s.Floor(0), st)
		}
	}
}

func TestEvictedTombstoneRaisesTheFloor(t *testing.T) {
	s, _ := room(t)
	put(t, s, sizedRef(3), Entry{Version: 77, Tombstone: true, Expires: 1 << 40})
	for i := range 8 {
		put(t, s, sizedRef(10+i), sized(Owned, 1, 5000))
	}
	if has(s, sizedRef(3), Owned) || s.Floor(3) != 77 || s.Stats().Tombstones != 0 {
		t.Errorf("floor %d, %+v", s.Floor(3), s.Stats())
	}
}

func TestDecoded(t *testing.T) {
	s, clock := room(t)
	r := sizedRef(1)
	put(t, s, r, sized(Owned, 5, 5000))
	put(t, s, r, sized(Near, 5, 5000))
	decoded := func(kind Kind) any { h, _ := s.Get(kind, r.Hash, r.Cache, r.Key); return h.Decoded }
	s.SetDecoded(r, 4, "of another version")
	if decoded(Owned) != nil || s.Stats().Bytes != 10_000 {
		t.Errorf("%v, %+v", decoded(Owned), s.Stats())
	}
	const value = 5000 - Overhead - 8
	for _, v := range []any{"first", "second"} {
		s.SetDecoded(r, 5, v)
		if decoded(Owned) != v || decoded(Near) != v || s.Stats().Bytes != 10_000+2*value {
			t.Errorf("%v, %v, %+v", decoded(Owned), decoded(Near), s.Stats())
		}
	}
	s.SetDecoded(r, 5, nil)
	if decoded(Owned) != nil || s.Stats().Bytes != 10_000 {
		t.Errorf("%v, %+v", decoded(Owned), s.Stats())
	}
	s.SetDecoded(r, 5, "again")
	put(t, s, r, sized(Owned, 6, 3000)) // takes its own away
	if decoded(Owned) != nil || decoded(Near) != "again" || s.Stats().Bytes != 8000+value {
		t.Errorf("%v, %v, %+v", decoded(Owned), decoded(Near), s.Stats())
	}
	put(t, s, r, Entry{Version: 7, Tombstone: true, Expires: 2000})
	s.SetDecoded(r, 7, "of a tombstone")
	s.SetDecoded(sizedRef(2), 7, "of nothing")
	clock.at = 2000
	s.SetDecoded(r, 7, "of what is over")
	if st := s.Stats(); st.Owned.Bytes > Overhead+8 {
		t.Errorf("%+v", st)
	}
}

func TestDecodedNeedsRoom(t *testing.T) {
	s, _ := room(t)
	for i := range 8 {
		put(t, s, sizedRef(i), sized(Owned, 1, 5000))
	}
	s.SetDecoded(sizedRef(0), 1, "decoded") // the oldest: it does not go itself
	if h, ok := s.Get(Owned, sizedRef(0).Hash, 0, sizedRef(0).Key); !ok || h.Decoded != "decoded" {
		t.Errorf("%+v, %v", h, ok)
	}
	if has(s, sizedRef(1), Owned) || !has(s, sizedRef(2), Owned) || s.Floor(1) != 1 {
		t.Error("not the least recently used one went")
	}
	s.DropSlot(2, AllKinds)
	put(t, s, sizedRef(20), sized(Near, 1, 4000))
	s.SetDecoded(sizedRef(20), 1, "does not fit")
	if h, ok := s.Get(Near, sizedRef(20).Hash, 0, sizedRef(20).Key); !ok || h.Decoded != nil || s.Stats().Owned.Evictions != 1 {
		t.Errorf("%+v, %v, %+v", h, ok, s.Stats())
	}
}

func TestBudgetHoldsWhileTenTimesAsMuchIsWritten(t *testing.T) {
	const budget = 1 << 20
	s, _ := open(t, Config{Budget: budget, MaxValue: 2000})
	rnd := rand.New(rand.NewPCG(1, 1))
	written := 0
	for i := 0; written < 10*budget; i++ {
		e := Entry{Version: uint64(i + 1), Kind: Kind(rnd.IntN(kindCount)), Value: make([]byte, rnd.IntN(2001)), LeaseEnd: 1 << 40}
		r := Ref{Hash: mix(uint64(rnd.IntN(5000))), Key: "key"}
		written += len(e.Value) + len(r.Key) + Overhead
		if _, err := s.Put(r, e); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if i%16 == 0 {
			s.SetDecoded(r, e.Version, "decoded")
		}
		if i%64 == 0 {
			if st := s.Stats(); st.Bytes > budget || st.Bytes != st.Owned.Bytes+st.Near.Bytes+st.Staged.Bytes {
				t.Fatalf("%+v", st)
			}
		}
	}
	if st := s.Stats(); st.Owned.Evictions == 0 || st.Bytes < budget/2 {
		t.Errorf("%+v", st)
	}
}

// What comes too late to be kept leaves its version in the floor, as it would have at
// the end of its time: an older one, that could have lived longer, may be elsewhere.
func TestShortThatIsOverAlready(t *testing.T) {
	for _, late := range []bool{false, true} {
		at := time.Duration(100)
		s, err := New(Config{MaxValue: 1000, Budget: 4 * (Overhead + MaxKey + 1000), Clock: func() time.Duration { return at }})
		if err != nil {
			t.Fatal(err)
		}
		ref := Ref{Hash: 1, Key: "k"}
		if _, err := s.Put(ref, Entry{Version: 1, Value: []byte("old")}); err != nil {
			t.Fatal(err)
		}
		if late {
			at = 200
		}
		if _, err := s.Put(ref, Entry{Version: 2, Value: []byte("new"), Short: true, Expires: 150}); err != nil {
			t.Fatal(err)
		}
		at = 200
		if _, ok := s.Peek(ref, Owned); ok || s.Floor(1) != 2 {
			t.Errorf("late %t: is there: %t, floor %d", late, ok, s.Floor(1))
		}
		s.Close()
	}
}

package cache

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var ref = Ref{Hash: 7<<32 | 5, Cache: 3, Key: "key"}

func TestNewRefuses(t *testing.T) {
	least := int64(minPerShard * (Overhead + MaxKey + 1000))
	for _, c := range []struct {
		name string
		cfg  Config
		want string // in the error; empty: none
	}{
		{"the zero Config", Config{}, ""},
		{"a budget for one shard", Config{Budget: least, MaxValue: 1000}, ""},
		{"a budget for less", Config{Budget: least - 1, MaxValue: 1000}, "at least 20960"},
		{"a negative budget", Config{Budget: -1}, "Budget is -1"},
		{"a negative limit", Config{MaxValue: -5}, "MaxValue is -5"},
		{"a limit above all", Config{Budget: 1 << 40, MaxValue: maxSize + 1}, "from 1 to 1073741824"},
	} {
		s, err := New(c.cfg)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", c.name, err)
		case err == nil:
			s.Close()
			s.Close() // twice does no harm
		}
	}
}

func TestShards(t *testing.T) {
	for _, c := range []struct {
		budget int64
		value  int
		want   int
	}{
		{0, 0, 32}, // 64 of them would have room for just under four values
		{256 << 20, 1000, 256},
		{1 << 30, 0, 128},
		{20960, 1000, 1},
		{2*20960 - 1, 1000, 1},
		{2 * 20960, 1000, 2},
	} {
		s, _ := open(t, Config{Budget: c.budget, MaxValue: c.value})
		if got := s.Stats().Shards; got != c.want {
			t.Errorf("Budget %d, MaxValue %d: %d shards, want %d", c.budget, c.value, got, c.want)
		}
	}
}

func TestPut(t *testing.T) {
	value := func(version uint64) Entry { return Entry{Version: version, Value: []byte("v")} }
	with := func(e Entry, f func(*Entry)) Entry { f(&e); return e }
	for _, c := range []struct {
		name        string
		first, then Entry
		pass        time.Duration // between the two
		raise       uint64        // the generation, between the two
		want        Result
		left        uint64 // version in the end; 0: none
	}{
		{name: "newer", first: value(5), then: value(6), want: Stored, left: 6},
		{name: "as new", first: value(5), then: value(5), want: Older, left: 5},
		{name: "older", first: value(5), then: value(4), want: Older, left: 5},
		{name: "older than a tombstone", first: Entry{Version: 5, Tombstone: true, Expires: 2000}, then: value(4), want: Older, left: 5},
		{name: "newer than a tombstone", first: Entry{Version: 5, Tombstone: true, Expires: 2000}, then: value(6), want: Stored, left: 6},
		{
			name: "older than one that expired", first: with(value(5), func(e *Entry) { e.Expires = 1100 }), then: value(4),
			pass: 100, want: Stored, left: 4,
		},
		{
			name: "older than one about to expire", first: with(value(5), func(e *Entry) { e.Expires = 1101 }), then: value(4),
			pass: 100, want: Older, left: 5,
		},
		{
			name: "older than one that was cleared", first: value(5), then: with(value(4), func(e *Entry) { e.Generation = 1 }),
			raise: 1, want: Stored, left: 4,
		},
		{name: "newer, of an older generation", first: with(value(5), func(e *Entry) { e.Generation = 1 }), then: value(6), raise: 1, want: Older, left: 5},
		{name: "newer, of a generation to come", first: value(5), then: with(value(6), func(e *Entry) { e.Generation = 9 }), want: Stored, left: 6},
		{name: "newer, but expired", first: value(5), then: with(value(6), func(e *Entry) { e.Expires = 1000 }), want: Older, left: 0},
		{name: "older, and expired", first: value(5), then: with(value(4), func(e *Entry) { e.Expires = 1000 }), want: Older, left: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, clock := open(t, Config{})
			put(t, s, ref, c.first)
			clock.at += c.pass
			clearIn(s, ref.Cache, c.raise)
			if got, err := s.Put(ref, c.then); got != c.want || err != nil {
				t.Errorf("Put = %d, %v; want %d", got, err, c.want)
			}
			if e, ok := s.Peek(ref, Owned); ok != (c.left != 0) || e.Version != c.left {
				t.Errorf("version %d, %v is left; want %d", e.Version, ok, c.left)
			}
			if f := s.Floor(5); f != 0 {
				t.Errorf("the floor rose to %d", f)
			}
		})
	}
}

func TestPutRefuses(t *testing.T) {
	s, _ := open(t, Config{Budget: 1 << 20, MaxValue: 10})
	for _, c := range []struct {
		name string
		ref  Ref
		e    Entry
		is   error
		says string
	}{
		{"a long value", ref, Entry{Version: 2, Value: make([]byte, 11)}, ErrTooLarge, "value of 11 bytes is over the limit of 10"},
		{"a long key", Ref{Key: strings.Repeat("k", MaxKey+1)}, Entry{Version: 2}, ErrTooLarge, "key of 4097 bytes is over the limit of 4096"},
		{"an unknown kind", ref, Entry{Version: 2, Kind: 3}, nil, "kind 3"},
		{"an unknown cache", Ref{Cache: MaxCaches}, Entry{Version: 2}, nil, "65536"},
	} {
		if _, err := s.Put(c.ref, c.e); err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	put(t, s, Ref{Key: strings.Repeat("k", MaxKey), Cache: MaxCaches - 1}, Entry{Version: 1, Value: make([]byte, 10)})
	s.RaiseGeneration(MaxCaches, 1) // says nothing, does nothing
	if _, ok := s.Get(Owned, 0, MaxCaches, ""); ok {
		t.Error("a hit in a cache that cannot be")
	}
	if _, ok := s.Peek(ref, 7); ok {
		t.Error("an entry of a kind that cannot be")
	}
}

func TestGet(t *testing.T) {
	for _, c := range []struct {
		name string
		e    Entry
		pass time.Duration
		gen  uint64
		hit  bool
		peek bool
	}{
		{"owned", Entry{}, 1e9, 0, true, true},
		{"owned, before its end", Entry{Expires: 2000}, 999, 0, true, true},
		{"owned, at its end", Entry{Expires: 2000}, 1000, 0, false, false},
		{"owned, LeaseEnd says nothing", Entry{LeaseEnd: 1500}, 600, 0, true, true},
		{"cleared", Entry{Generation: 4}, 0, 5, false, false},
		{"of this generation", Entry{Generation: 5}, 0, 5, true, true},
		{"near, while its lease runs", Entry{Kind: Near, LeaseEnd: 2000}, 999, 0, true, true},
		{"near, when its lease has ended", Entry{Kind: Near, LeaseEnd: 2000}, 1000, 0, false, false},
		{"near, expired before its lease", Entry{Kind: Near, LeaseEnd: 2000, Expires: 1500}, 500, 0, false, false},
		{"staged", Entry{Kind: Staged}, 0, 0, false, true},
		{"a tombstone", Entry{Tombstone: true, Expires: 2000}, 0, 0, false, true},
		{"that there is none", Entry{Tombstone: true, Negative: true, Expires: 2000}, 0, 0, false, true},
		{"a tombstone of an older generation", Entry{Tombstone: true, Expires: 2000, Generation: 4}, 0, 5, false, true},
		{"that there was none, of an older generation", Entry{Tombstone: true, Negative: true, Expires: 2000, Generation: 4}, 0, 5, false, false},
		{"a tombstone, over", Entry{Tombstone: true, Expires: 2000}, 1000, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, clock := open(t, Config{})
			c.e.Version = 9
			if !c.e.Tombstone {
				c.e.Value = []byte("value")
			}
			put(t, s, ref, c.e)
			clock.at += c.pass
			clearIn(s, ref.Cache, c.gen)
			for kind := range Kind(kindCount) {
				hit, ok := s.Get(kind, ref.Hash, ref.Cache, ref.Key)
				if want := c.hit && kind == c.e.Kind; ok != want {
					t.Errorf("Get(%s) = %v", kind, ok)
				} else if ok && (string(hit.Value) != "value" || hit.Version != 9 || hit.Kind != kind || hit.Expires != c.e.Expires) {
					t.Errorf("Get(%s) = %+v", kind, hit)
				}
				if e, ok := s.Peek(ref, kind); ok != (c.peek && kind == c.e.Kind) {
					t.Errorf("Peek(%s) = %v", kind, ok)
				} else if ok && (e.Version != 9 || e.Tombstone != c.e.Tombstone || e.Negative != c.e.Negative || e.LeaseEnd != leaseOf(c.e) || e.Generation != c.e.Generation) {
					t.Errorf("Peek(%s) = %+v", kind, e)
				}
			}
			for _, other := range []Ref{{ref.Hash, ref.Cache, "other"}, {ref.Hash, 4, ref.Key}, {1, ref.Cache, ref.Key}} {
				if _, ok := s.Get(c.e.Kind, other.Hash, other.Cache, other.Key); ok {
					t.Errorf("a hit for %v", other)
				}
			}
			st := s.Stats()
			if st.Owned.Hits+st.Near.Hits != uint64(b2i(c.hit)) || st.Staged.Hits+st.Staged.Misses != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func leaseOf(e Entry) time.Duration {
	if e.Kind == Near {
		return e.LeaseEnd
	}
	return 0
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestNilAndEmptyValuesStayApart(t *testing.T) {
	s, _ := open(t, Config{})
	put(t, s, ref, Entry{Version: 1, Value: []byte{}})
	if h, _ := s.Get(Owned, ref.Hash, ref.Cache, ref.Key); h.Value == nil || len(h.Value) != 0 {
		t.Errorf("%#v", h.Value)
	}
	put(t, s, ref, Entry{Version: 2})
	if h, ok := s.Get(Owned, ref.Hash, ref.Cache, ref.Key); !ok || h.Value != nil {
		t.Errorf("%#v", h.Value)
	}
	put(t, s, Ref{}, Entry{Version: 2}) // an empty key is a key
	if !has(s, Ref{}, Owned) {
		t.Error("no empty key")
	}
}

func TestKeysOfAnyLength(t *testing.T) {
	s, _ := open(t, Config{})
	long := strings.Repeat("0123456789abcdef", MaxKey/16)
	for n := range 300 {
		r := Ref{Hash: mix(uint64(n)), Key: long[:n]}
		put(t, s, r, Entry{Version: 1, Value: []byte(r.Key)})
	}
	put(t, s, Ref{Hash: 1, Key: long}, Entry{Version: 1, Value: []byte(long)})
	n := 0
	for slot := range Slots {
		for _, it := range s.AppendSlot(nil, slot, AllKinds) {
			n++
			h, ok := s.Get(Owned, it.Ref.Hash, 0, string(it.Entry.Value))
			if !ok || it.Ref.Key != string(it.Entry.Value) || !strings.HasPrefix(long, it.Ref.Key) || string(h.Value) != it.Ref.Key {
				t.Errorf("%q, %v, %q", it.Ref.Key, ok, h.Value)
			}
			if _, ok := s.Get(Owned, it.Ref.Hash, 0, it.Ref.Key+"0"); ok {
				t.Errorf("a hit for a longer key than %q", it.Ref.Key)
			}
		}
	}
	if n != 301 {
		t.Errorf("%d keys", n)
	}
}

func TestDrop(t *testing.T) {
	s, clock := open(t, Config{})
	put(t, s, ref, Entry{Version: 1})
	put(t, s, ref, Entry{Kind: Near, Version: 1, LeaseEnd: 2000})
	put(t, s, ref, Entry{Kind: Staged, Version: 1})
	if !s.Drop(ref, NearOnly|StagedOnly) || has(s, ref, Near) || has(s, ref, Staged) || !has(s, ref, Owned) {
		t.Error("not these two")
	}
	if s.Drop(ref, NearOnly) {
		t.Error("dropped again")
	}
	put(t, s, ref, Entry{Version: 2, Expires: 1500})
	clock.at = 1500
	if s.Drop(ref, AllKinds) {
		t.Error("what had expired was live")
	}
	if st := s.Stats(); st.Bytes != 0 || s.Floor(5) != 0 {
		t.Errorf("%+v, floor %d", st, s.Floor(5))
	}
}

func TestGetDoesNotReadTheClock(t *testing.T) {
	reads := 0
	s, _ := open(t, Config{Clock: func() time.Duration { reads++; return 0 }})
	put(t, s, ref, Entry{Version: 1})
	s.Get(Owned, ref.Hash, ref.Cache, ref.Key)
	s.Get(Near, ref.Hash, ref.Cache, ref.Key)
	if reads != 0 {
		t.Errorf("%d reads for what never ends", reads)
	}
	put(t, s, ref, Entry{Version: 2, Expires: 10})
	reads = 0
	if s.Get(Owned, ref.Hash, ref.Cache, ref.Key); reads != 1 {
		t.Errorf("%d reads for what ends", reads)
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	s, _ := open(t, Config{})
	put(t, s, ref, Entry{Version: 1, Value: []byte("v"), Expires: 2000})
	put(t, s, ref, Entry{Kind: Near, Version: 1, Value: []byte("v"), LeaseEnd: 2000})
	for kind, name := range []string{"owned", "near"} {
		if n := testing.AllocsPerRun(1000, func() { s.Get(Kind(kind), ref.Hash, ref.Cache, ref.Key) }); n != 0 {
			t.Errorf("a %s hit allocates %v times", name, n)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { s.Get(Owned, ref.Hash, ref.Cache, "other") }); n != 0 {
		t.Errorf("a miss allocates %v times", n)
	}
}

package cache

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handClock is a clock that a test moves by hand. It is for one goroutine.
type handClock struct{ at time.Duration }

func (c *handClock) now() time.Duration { return c.at }

// open returns a store with a clock that stands at 1000 until it is moved.
func open(t *testing.T, cfg Config) (*Store, *handClock) {
	t.Helper()
	c := &handClock{at: 1000}
	if cfg.Clock == nil {
		cfg.Clock = c.now
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		check(t, s)
	})
	return s, c
}

// oneShard returns the Config of a store with a single shard of that share.
func oneShard(share int64, maxValue int) Config { return Config{Budget: share, MaxValue: maxValue} }

func put(t *testing.T, s *Store, ref Ref, e Entry) {
	t.Helper()
	if r, err := s.Put(ref, e); r != Stored || err != nil {
		t.Fatalf("Put(%v, %+v) = %d, %v", ref, e, r, err)
	}
}

// clearIn is a clear that all members have made.
func clearIn(s *Store, cacheNumber uint32, count uint64) {
	s.RaiseGeneration(cacheNumber, count)
	s.Forget(cacheNumber, count)
}

func has(s *Store, ref Ref, kind Kind) bool {
	_, ok := s.Peek(ref, kind)
	return ok
}

// check compares everything that is kept up to date with what it stands for.
func check(t *testing.T, s *Store) {
	t.Helper()
	for i := range s.shards {
		checkShard(t, &s.shards[i])
	}
}

func checkShard(t *testing.T, sh *shard) {
	t.Helper()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var bytes int64
	tombstones := 0
	for kind := range Kind(kindCount) {
		k := &sh.held[kind]
		var kindBytes int64
		count := 0
		which := sh.number(t)
		for n := range sh.slots {
			l := &sh.slots[n].lists[kind]
			number := n<<sh.store.shift | which
			home := &sh.store.index[kind][number]
			tab := home.more.Load()
			if tab == nil && home.count() == 0 && *l == (list{}) {
				continue
			}
			var sum uint64
			var here uint32
			sh.each(number, kind, func(r *record) {
				if int(r.hash%Slots) != number || r.kind() != kind {
					t.Fatalf("a %s record is in the table of another slot or kind", kind)
				}
				if ref := r.ref(); sh.find(kind, &ref) != r {
					t.Fatalf("%s %v is in the index and not found", kind, ref)
				}
				if !k.has(r) {
					t.Fatalf("%s %v is not in the LRU", kind, r.ref())
				}
				here++
				sum += mark(r.hash, r.version, r.tombstone())
				kindBytes += r.cost()
				if r.tombstone() {
					tombstones++
				}
				if sh.slots[n].due > r.until() {
					t.Fatalf("a slot is due at %v, one of its records at %v", sh.slots[n].due, r.until())
				}
			})
			if here != l.count || sum != l.sum {
				t.Fatalf("a list has %d records with sum %x and says %d and %x", here, sum, l.count, l.sum)
			}
			if tab != nil {
				checkTable(t, sh.store, tab, int(here)-home.count())
			}
			count += int(here)
		}
		if held := k.len(recent) + k.frequent(); count != k.count || held != k.count || kindBytes != k.bytes {
			t.Fatalf("%s: %d records in the index, %d in the LRU, %d bytes; counted %d and %d bytes", kind, count, held, kindBytes, k.count, k.bytes)
		}
		bytes += kindBytes
	}
	if bytes != sh.bytes || tombstones != sh.tombstones {
		t.Fatalf("%d bytes and %d tombstones; counted %d and %d", bytes, tombstones, sh.bytes, sh.tombstones)
	}
	if sh.bytes > sh.share {
		t.Fatalf("%d bytes are over the share of %d", sh.bytes, sh.share)
	}
}

// number returns which shard of its store this is.
func (s *shard) number(t *testing.T) int {
	for i := range s.store.shards {
		if &s.store.shards[i] == s {
			return i
		}
	}
	t.Fatal("a shard is not one of its store")
	return 0
}

// checkTable compares the tags and the counts of a table that has so many
// records with where they lie.
func checkTable(t *testing.T, s *Store, tab *table, records int) {
	n := len(tab.buckets)
	if records == 0 || records > holds(n) || fit(n, records) != n {
		t.Fatalf("%d records in %d buckets", records, n)
	}
	passed := make([]uint64, n)
	for b := range tab.buckets {
		at := &tab.buckets[b]
		for p := range at.places {
			tag, r := at.tags.Load()>>(8*p)&0xff, at.places[p].Load()
			if r == nil {
				if tag != 0 {
					t.Fatal("an empty place has a tag")
				}
				continue
			}
			sp := s.spot(r.hash)
			if tag != sp.tag {
				t.Fatalf("a record of tag %x has %x", sp.tag, tag)
			}
			for x := sp.home(tab.buckets); x != b; x = (x + 1) % n {
				passed[x]++
			}
		}
	}
	for b := range tab.buckets {
		if got := tab.buckets[b].tags.Load() >> passedBits; got != passed[b] && got != passedMax {
			t.Fatalf("%d records passed a bucket by, and it says %d", passed[b], got)
		}
	}
}

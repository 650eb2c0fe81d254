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
	tombstones, linked := 0, 0
	for kind := range Kind(kindCount) {
		k := &sh.held[kind]
		var kindBytes int64
		count := 0
		for n := range sh.slots {
			l := &sh.slots[n].lists[kind]
			var sum uint64
			var here uint32
			before := handle(0)
			for h := l.head; h != 0; h = sh.links.at(h).next {
				at := sh.links.at(h)
				r := k.linked(at.hash, h)
				if r.link != h || at.prev != before || sh.slot(at.hash) != &sh.slots[n] || r.kind() != kind {
					t.Fatalf("a %s record is not where its link says", kind)
				}
				before = h
				here++
				sum += mark(at.hash, r.version)
				kindBytes += r.cost()
				if r.tombstone() {
					tombstones++
				}
				if sh.slots[n].due > r.until() {
					t.Fatalf("a slot is due at %v, one of its records at %v", sh.slots[n].due, r.until())
				}
			}
			if here != l.count || sum != l.sum {
				t.Fatalf("a list has %d records with sum %x and says %d and %x", here, sum, l.count, l.sum)
			}
			count += int(here)
		}
		held := k.lru.Len()
		for _, same := range k.more {
			held += len(same)
		}
		if count != k.count || held != k.count || kindBytes != k.bytes {
			t.Fatalf("%s: %d records linked, %d held, %d bytes; counted %d and %d bytes", kind, count, held, kindBytes, k.count, k.bytes)
		}
		bytes += kindBytes
		linked += count
	}
	if bytes != sh.bytes || tombstones != sh.tombstones {
		t.Fatalf("%d bytes and %d tombstones; counted %d and %d", bytes, tombstones, sh.bytes, sh.tombstones)
	}
	if sh.bytes > sh.share {
		t.Fatalf("%d bytes are over the share of %d", sh.bytes, sh.share)
	}
	free := 0
	for h := sh.links.free; h != 0; h = sh.links.at(h).next {
		free++
	}
	if all := len(sh.links.chunks) * chunkLen; all > 0 && all != linked+free+1 {
		t.Fatalf("%d links: %d used, %d free", all, linked, free)
	}
}

package cache

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bounds are the versions that a Get of a key and kind may return: what a
// writer has made impossible is below least before it says so, and what it has
// not begun to make possible is above most.
type bounds struct{ least, most atomic.Uint64 }

// TestGetIsNeverOlder has one writer for each of a few slots, which changes its
// entries in every way there is and publishes what may be seen; others make the
// slots' tables grow and shrink; and readers, which take no lock, see to it that
// a Get never returns what was gone when it began, nor what had not come when it
// returned, nor another kind's.
func TestGetIsNeverOlder(t *testing.T) {
	const slots, keys, rounds = 3, 4, 6000
	s, err := New(Config{Budget: 1 << 20, MaxValue: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// Two keys each have the same hash.
	at := func(slot, key int) Ref {
		return Ref{Hash: mix(uint64(key/2))&^(Slots-1) | uint64(slot), Cache: uint32(slot), Key: fmt.Sprint("key", key)}
	}
	var may [slots][keys][Near + 1]bounds
	var writers, others sync.WaitGroup
	var over atomic.Bool
	var hits atomic.Uint64
	for slot := range slots {
		writers.Go(func() { // the only one to change these keys
			rnd := rand.New(rand.NewPCG(uint64(slot), 1))
			generation := uint64(0)
			for v := uint64(1); v <= rounds || hits.Load() < 500 && v < 20*rounds; v++ {
				key, kind := rnd.IntN(keys), Kind(rnd.IntN(int(Near)+1))
				r, b := at(slot, key), &may[slot][key][kind]
				e := Entry{Kind: kind, Version: v, Generation: generation, Value: []byte(kind.String()), LeaseEnd: time.Hour}
				gone := func(kinds Kinds, keys ...int) {
					for _, k := range keys {
						for kind := Owned; kind <= Near; kind++ {
							if kinds&(1<<kind) != 0 {
								may[slot][k][kind].least.Store(v + 1)
							}
						}
					}
				}
				switch n := rnd.IntN(64); {
				case n < 57: // often enough that most Gets are hits
					b.most.Store(v)
					if _, err := s.Put(r, e); err != nil {
						t.Errorf("Put: %v", err)
					}
					b.least.Store(v)
				case n == 57:
					s.Drop(r, 1<<kind)
					gone(1<<kind, key)
				case n == 58:
					s.DropSlot(slot, 1<<kind)
					gone(1<<kind, 0, 1, 2, 3)
				case n == 59:
					generation++
					s.RaiseGeneration(r.Cache, generation)
					gone(AllKinds, 0, 1, 2, 3)
				case n == 60:
					e.Tombstone, e.Expires = true, time.Hour
					if _, err := s.Put(r, e); err != nil {
						t.Errorf("Put: %v", err)
					}
					gone(1<<kind, key)
				case n == 61:
					s.SetDecoded(r, b.least.Load(), "decoded")
				case n >= 62: // what is staged is seen once it is promoted
					e.Kind, e.Value = Staged, []byte(Owned.String())
					if _, err := s.Put(r, e); err != nil {
						t.Errorf("Put: %v", err)
					}
					own := &may[slot][key][Owned]
					if n == 63 {
						s.Drop(r, StagedOnly)
						break
					}
					own.most.Store(v)
					s.Promote(slot)
					own.least.Store(v)
				}
			}
		})
		others.Go(func() { // makes the tables grow and shrink
			for round := uint64(1); !over.Load(); round++ {
				for i := range uint64(60) {
					for _, kind := range []Kind{Owned, Near} {
						r := Ref{Hash: mix(i)&^(Slots-1) | uint64(slot), Cache: slots, Key: "other"}
						_, _ = s.Put(r, Entry{Kind: kind, Version: round, LeaseEnd: time.Hour})
						if round%2 == 0 {
							s.Drop(r, 1<<kind)
						}
					}
				}
			}
		})
	}
	for g := range uint64(4) {
		others.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 2))
			for !over.Load() {
				slot, key, kind := rnd.IntN(slots), rnd.IntN(keys), Kind(rnd.IntN(int(Near)+1))
				r, b := at(slot, key), &may[slot][key][kind]
				least := b.least.Load()
				hit, ok := s.Get(kind, r.Hash, r.Cache, r.Key)
				if !ok {
					continue
				}
				if most := b.most.Load(); hit.Version < least || hit.Version > most || string(hit.Value) != kind.String() {
					t.Errorf("slot %d, key %d, %s: %q at %d was seen, and only %d to %d could be", slot, key, kind, hit.Value, hit.Version, least, most)
					return
				}
				hits.Add(1)
			}
		})
	}
	writers.Wait()
	over.Store(true)
	others.Wait()
	check(t, s)
	t.Logf("%d hits", hits.Load())
	if st := s.Stats(); st.Owned.Hits+st.Near.Hits != hits.Load() {
		t.Errorf("%d hits are counted, there were %d", st.Owned.Hits+st.Near.Hits, hits.Load())
	}
	if hits.Load() == 0 {
		t.Error("no hits")
	}
}

// TestGetReturnsNothingEvicted has keys in slots of their own, whose floors say
// what has been evicted, and more of them than there is room for.
func TestGetReturnsNothingEvicted(t *testing.T) {
	const keys, rounds = 40, 20_000
	s, err := New(oneShard(roomy, 5000))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var writer, readers sync.WaitGroup
	var over atomic.Bool
	var next, hits atomic.Uint64
	for g := range uint64(2) {
		writer.Go(func() {
			rnd := rand.New(rand.NewPCG(g, g))
			for n := 0; n < rounds || hits.Load() < 500 && n < 20*rounds; n++ {
				i := rnd.IntN(keys/2)*2 + int(g) // keys of its own, so their versions rise
				if _, err := s.Put(sizedRef(i), sized(Owned, next.Add(1), 2000)); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		})
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 3))
			for !over.Load() {
				i := rnd.IntN(keys)
				r := sizedRef(i)
				floor := s.Floor(i)
				for range 10 {
					hit, ok := s.Get(Owned, r.Hash, r.Cache, r.Key)
					if ok && hit.Version <= floor {
						t.Errorf("version %d was seen after %d had been evicted", hit.Version, floor)
						return
					}
					if ok {
						hits.Add(1)
					}
				}
			}
		})
	}
	writer.Wait()
	over.Store(true)
	readers.Wait()
	check(t, s)
	if st := s.Stats(); st.Owned.Evictions == 0 || hits.Load() == 0 {
		t.Errorf("%+v", st)
	}
}

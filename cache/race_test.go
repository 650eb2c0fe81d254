package cache

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestConcurrently lets everything run at once, for the race detector and for
// check, and sees to it that a value is never another key's or version's, and
// that nothing of an older generation is seen after RaiseGeneration.
func TestConcurrently(t *testing.T) {
	s, err := New(Config{Budget: 64 << 10, MaxValue: 500})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const keys, rounds = 300, 4000
	text := func(i int, version uint64) string { return fmt.Sprintf("%d at %d", i, version) }
	at := func(i int) Ref { return Ref{Hash: mix(uint64(i / 2)), Cache: uint32(i % 3), Key: fmt.Sprint(i)} }
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, g))
			var items []Item
			for n := range uint64(rounds) {
				i := rnd.IntN(keys)
				r, slot, kind := at(i), int(at(i).Hash%Slots), Kind(rnd.IntN(kindCount))
				switch rnd.IntN(12) {
				case 0, 1, 2:
					v := n*8 + g + 1
					e := Entry{Kind: kind, Version: v, Value: []byte(text(i, v)), Generation: v, LeaseEnd: time.Hour}
					if rnd.IntN(4) == 0 {
						e.Expires = s.clock() + time.Microsecond
					}
					_, _ = s.Put(r, e) // may be full
				case 3, 4, 5:
					if h, ok := s.Get(kind, r.Hash, r.Cache, r.Key); ok {
						if string(h.Value) != text(i, h.Version) || h.Decoded != nil && h.Decoded != h.Version {
							t.Errorf("key %d: %q, %v at %d", i, h.Value, h.Decoded, h.Version)
						}
						s.SetDecoded(r, h.Version, h.Version)
					}
				case 6:
					if e, ok := s.Peek(r, kind); ok && !e.Tombstone && string(e.Value) != text(i, e.Version) {
						t.Errorf("key %d: %+v", i, e)
					}
				case 7:
					s.Drop(r, 1<<kind)
				case 8:
					s.DropSlot(slot, 1<<kind)
				case 9:
					s.Promote(slot)
				case 10:
					items = s.AppendSlot(items[:0], slot, AllKinds)
					s.Digest(slot, AllKinds)
					s.RaiseFloor(slot, n)
				case 11:
					// The generations are the versions, which rise with the rounds.
					s.RaiseGeneration(r.Cache, n*4)
					if e, ok := s.Peek(r, kind); ok && e.Generation < n*4 {
						t.Errorf("key %d of generation %d is seen in %d", i, e.Generation, n*4)
					}
					s.Forget(r.Cache, n*4)
					s.sweepSlot(slot)
					s.Stats()
				}
			}
		})
	}
	wg.Wait()
	check(t, s)
}

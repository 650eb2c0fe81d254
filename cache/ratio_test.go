package cache

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// TestHitRatio compares the order of eviction with that of an exact LRU which
// has the same budget and is charged the same, on draws that no two keys are
// equally likely in. What is missed is put.
func TestHitRatio(t *testing.T) {
	const keys, draws, budget = 20_000, 160_000, 3 << 19 // about a twelfth of all
	for _, w := range []struct {
		name string
		more float64 // than the exact LRU
		next func(i int, zipf *rand.Zipf, rnd *rand.Rand) int
	}{
		{"Zipf", 0.035, func(_ int, zipf *rand.Zipf, _ *rand.Rand) int { return int(zipf.Uint64()) }},
		{"Zipf with scans", 0.065, func(i int, zipf *rand.Zipf, _ *rand.Rand) int {
			if i%10_000 < 2000 { // of keys that are asked for once
				return keys + i
			}
			return int(zipf.Uint64())
		}},
		{"drifting Zipf", 0, func(i int, zipf *rand.Zipf, _ *rand.Rand) int { return int(zipf.Uint64()) + i/20 }},
		{"sessions", 0, func(i int, _ *rand.Zipf, rnd *rand.Rand) int { // most were asked for not long ago
			return max(i/8-int(rnd.ExpFloat64()*rnd.ExpFloat64()*600), 0)
		}},
	} {
		t.Run(w.name, func(t *testing.T) {
			s, _ := open(t, Config{Budget: budget, MaxValue: 2000})
			exact := newExactLRU(budget)
			rnd := rand.New(rand.NewPCG(1, 2))
			zipf := rand.NewZipf(rnd, 1.01, 1, keys-1)
			ours, lru, n := 0, 0, 0
			for i := range draws {
				key := w.next(i, zipf, rnd)
				size := int(mix(uint64(key)) % 1500)
				r := Ref{Hash: mix(uint64(key) + 12345), Key: "key"}
				_, ok := s.Get(Owned, r.Hash, r.Cache, r.Key)
				if !ok {
					put(t, s, r, Entry{Version: 1, Value: make([]byte, size)})
				}
				hit := exact.get(key, costOf(len(r.Key), size))
				if i < draws/4 {
					continue // filling
				}
				n++
				ours += b2i(ok)
				lru += b2i(hit)
			}
			a, b := float64(ours)/float64(n), float64(lru)/float64(n)
			t.Logf("%.4f, exact LRU %.4f", a, b)
			if a < b+w.more {
				t.Errorf("the hit ratio is %.4f, want %.3f more than with an exact LRU: %.4f", a, w.more, b)
			}
		})
	}
}

type exactLRU struct {
	lru           *simplelru.LRU[int, int64]
	budget, bytes int64
}

func newExactLRU(budget int64) *exactLRU {
	l, _ := simplelru.NewLRU[int, int64](math.MaxInt, nil)
	return &exactLRU{lru: l, budget: budget}
}

// get tells whether a key is there, and adds it where it is not.
func (e *exactLRU) get(key int, cost int64) bool {
	if _, ok := e.lru.Get(key); ok {
		return true
	}
	for e.bytes += cost; e.bytes > e.budget; {
		_, c, _ := e.lru.RemoveOldest()
		e.bytes -= c
	}
	e.lru.Add(key, cost)
	return false
}

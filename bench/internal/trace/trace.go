// Package trace has lists of what is asked for, one after the other, for
// comparing how much of it different caches have.
package trace

import (
	"math/rand/v2"

	"github.com/peercache/peercache/bench/internal/load"
)

// Trace is gets of entries, by number.
type Trace struct {
	Name string
	Asks []uint32
	// Keys is how many entries the room is a part of. 0: all that are asked for.
	Keys int
	// Part is how much of them there is room for.
	Part float64
	// Counted tells whether a get of an entry counts. Nil: all do.
	Counted func(entry uint32) bool
	// Size returns how many bytes an entry's value has.
	Size func(entry uint32) int
}

// Room returns what a cache may hold of it.
func (t *Trace) Room() Room {
	entries, total := t.Keys, int64(0)
	if t.Keys > 0 {
		total = int64(t.Keys) * t.Cost(0)
	} else {
		seen := make(map[uint32]struct{})
		for _, e := range t.Asks {
			if _, ok := seen[e]; !ok {
				seen[e] = struct{}{}
				total += t.Cost(e)
			}
		}
		entries = len(seen)
	}
	return Room{Bytes: int64(float64(total) * t.Part), Entries: int(float64(entries) * t.Part), Cost: t.Cost}
}

func fixed(uint32) int { return load.ValueLen }

const (
	keys  = 100_000
	tenth = 0.1
	// skew is the exponent with which LRU finds three in four draws with room for
	// a tenth of the keys.
	skew = 1.01
)

// Zipf are draws by Zipf's law.
func Zipf(draws int) *Trace {
	next := zipf(1)
	t := &Trace{Name: "Zipf", Keys: keys, Part: tenth, Size: fixed}
	for range draws {
		t.Asks = append(t.Asks, next())
	}
	return t
}

// Scans are the same with runs of keys in between that are asked for once each:
// one in five in all. They do not count, but what they push out does.
func Scans(draws int) *Trace {
	const every, long = 20_000, 4_000
	next := zipf(2)
	t := &Trace{Name: "Zipf with scans", Keys: keys, Part: tenth, Size: fixed, Counted: func(e uint32) bool { return e < keys }}
	for i := range draws {
		if i%every < long {
			t.Asks = append(t.Asks, keys+uint32(i))
			continue
		}
		t.Asks = append(t.Asks, next())
	}
	return t
}

// Drifting are draws by Zipf's law whose keys move on: one in driftEvery draws
// makes the most wanted key another.
func Drifting(draws int) *Trace {
	rnd := rand.New(rand.NewPCG(3, 2))
	z := rand.NewZipf(rnd, skew, 1, keys-1)
	t := &Trace{Name: "drifting Zipf", Keys: keys, Part: tenth, Size: fixed}
	for i := range draws {
		t.Asks = append(t.Asks, uint32(z.Uint64())+uint32(i/driftEvery))
	}
	return t
}

const driftEvery = 10

func zipf(seed uint64) func() uint32 {
	rnd := rand.New(rand.NewPCG(seed, 2))
	z := rand.NewZipf(rnd, skew, 1, keys-1)
	return func() uint32 { return uint32(z.Uint64()) }
}

// Sessions are a shop's, made from the sizes of samples: visitors come all the
// time, ask for pages while their visit lasts, and some come back; one in five
// calls is a crawler's, whose session is asked for once or twice.
func Sessions(draws int, shop *load.Shop) *Trace {
	const visitors, pages = 2_000, 12 // at a time; of a visit, on average
	rnd := rand.New(rand.NewPCG(4, 2))
	t := &Trace{Name: "sessions from the samples", Part: tenth, Size: func(e uint32) int { return shop.Size(int(e)) }}
	next := uint32(0)
	fresh := func() uint32 { next++; return next }
	here := make([]uint32, visitors)
	var known []uint32 // who has been here
	for i := range here {
		here[i] = fresh()
	}
	for len(t.Asks) < draws {
		if rnd.IntN(5) == 0 {
			e := fresh()
			t.Asks = append(t.Asks, e)
			if rnd.IntN(2) == 0 {
				t.Asks = append(t.Asks, e)
			}
			continue
		}
		v := rnd.IntN(visitors)
		t.Asks = append(t.Asks, here[v])
		if rnd.IntN(pages) > 0 {
			continue
		}
		known = append(known, here[v])
		here[v] = fresh()
		if rnd.IntN(3) == 0 { // comes back, the sooner the likelier
			ago := min(int(rnd.ExpFloat64()*5_000), len(known)-1)
			here[v] = known[len(known)-1-ago]
		}
	}
	t.Asks = t.Asks[:draws]
	return t
}

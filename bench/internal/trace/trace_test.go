package trace

import (
	"testing"

	"github.com/peercache/peercache/bench/internal/load"
)

// Every cache has what it was just asked for, and forgets when it is full.
func TestCaches(t *testing.T) {
	tr := &Trace{Name: "test", Keys: 20_000, Part: tenth, Size: fixed}
	for _, c := range Caches() {
		t.Run(c.Name, func(t *testing.T) {
			room := tr.Room()
			ask, end, err := c.Open(tr, room)
			if err != nil {
				t.Fatal(err)
			}
			defer end()
			for e := range uint32(tr.Keys) {
				if ask(e) {
					t.Fatalf("entry %d is there before it was asked for", e)
				}
			}
			there := 0
			for e := uint32(tr.Keys) - 1; e > 0 && there == 0; e-- { // those asked for last
				if ask(e) {
					there++
				}
			}
			if there == 0 {
				t.Error("nothing is kept")
			}
		})
	}
}

func TestTraces(t *testing.T) {
	shop, err := load.NewShop("../../" + load.Samples)
	if err != nil {
		t.Fatal(err)
	}
	const draws = 100_000
	for _, tr := range []*Trace{Zipf(draws), Scans(draws), Drifting(draws), Sessions(draws, shop)} {
		room := tr.Room()
		if len(tr.Asks) != draws || room.Entries < 100 || room.Bytes < 100*int64(room.Entries) {
			t.Errorf("%s: %d gets, room for %d entries and %d bytes", tr.Name, len(tr.Asks), room.Entries, room.Bytes)
		}
	}
	counted := 0
	scans := Scans(draws)
	for _, e := range scans.Asks {
		if scans.Counted(e) {
			counted++
		}
	}
	if counted != draws*4/5 {
		t.Errorf("%d of %d gets count beside scans", counted, draws)
	}
}

func TestGlimpse(t *testing.T) {
	tr, err := Glimpse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Asks) < 1000 {
		t.Errorf("%d gets", len(tr.Asks))
	}
}

package cache

import (
	"math/rand/v2"
	"testing"
)

// orderOf has records with the hashes from 1 on, that came in this order.
func orderOf(n int) (*order, []*record) {
	o := new(order)
	list := make([]*record, n)
	for i := range list {
		list[i] = newRecord(&Ref{Hash: uint64(i + 1)}, &Entry{Version: 1})
		o.add(list[i])
	}
	return o, list
}

func touch(list ...*record) {
	for _, r := range list {
		r.touch()
	}
}

// evict does what a shard does to make room for one.
func (o *order) evict() *record {
	for {
		r := o.next(nil)
		if r == nil || !r.touched() {
			if r != nil {
				o.gone(r)
				o.remove(r)
			}
			return r
		}
		o.promote(r)
	}
}

func TestOrderGivesUpTheOldest(t *testing.T) {
	o, list := orderOf(5)
	o.use(list[0])
	o.replace(list[1], list[1])
	for _, want := range []int{2, 3, 4, 0, 1} {
		if r := o.evict(); r != list[want] {
			t.Fatalf("record %d went, want %d", r.hash, list[want].hash)
		}
	}
	if r := o.evict(); r != nil {
		t.Errorf("record %d is left", r.hash)
	}
}

// A scan, however long, does not push out what has been asked for.
func TestOrderOutlastsScans(t *testing.T) {
	o, list := orderOf(100)
	wanted := list[:60]
	touch(wanted...)
	for i := range 10_000 {
		o.evict()
		o.add(newRecord(&Ref{Hash: uint64(1000 + i)}, &Entry{Version: 1}))
	}
	for _, r := range wanted {
		if r.queue == recent || !o.has(r) {
			t.Fatalf("record %d was pushed out", r.hash)
		}
	}
}

// What is asked for again and again stays, and what is not any longer goes.
func TestOrderForgetsWhatIsNoLongerAskedFor(t *testing.T) {
	o, list := orderOf(100)
	touch(list[:50]...)
	still := list[:10]
	for i := range 2000 {
		touch(still...)
		o.evict()
		r := newRecord(&Ref{Hash: uint64(1000 + i)}, &Entry{Version: 1})
		o.add(r)
		touch(r)
	}
	for i, r := range list {
		if in := o.has(r); in != (i < len(still)) {
			t.Errorf("record %d: %v", r.hash, in)
		}
	}
}

// Who comes back soon is not new, and its queue gets more room, but neither all
// of it nor none.
func TestOrderAdapts(t *testing.T) {
	o, list := orderOf(90)
	for _, r := range list[:30] { // frequent
		o.promote(r)
	}
	comesBack := func(r *record) {
		again := newRecord(&Ref{Hash: r.hash}, &Entry{Version: 2})
		o.add(again)
		if again.queue != young {
			t.Fatal("who comes back is taken for new")
		}
	}
	for range 300 {
		was := o.want
		r := o.evict()
		q := r.queue
		comesBack(r)
		switch {
		case q == recent && o.want < was:
			t.Fatalf("one of recent comes back, and recent wants %v instead of %v", o.want, was)
		case q != recent && o.want > was:
			t.Fatalf("one of frequent comes back, and recent wants %v instead of %v", o.want, was)
		case o.want < leastRecent*90-1 || o.want > mostRecent*90+1:
			t.Fatalf("recent wants %v of 90", o.want)
		}
	}
}

// The one to keep does not go, wherever it is, and the others do.
func TestOrderKeeps(t *testing.T) {
	for at := range 6 {
		o, list := orderOf(6)
		for _, r := range list[3:] {
			o.promote(r)
		}
		o.balance()
		keep := list[at]
		for range 5 {
			r := o.next(keep)
			if r == nil || r == keep {
				t.Fatalf("keeping %d: %v goes", keep.hash, r)
			}
			o.remove(r)
		}
		if r := o.next(keep); r != nil {
			t.Errorf("keeping %d: %d goes", keep.hash, r.hash)
		}
		if r := o.next(nil); r != keep {
			t.Errorf("%d does not go", keep.hash)
		}
	}
}

func TestGhosts(t *testing.T) {
	const records = 1000
	spans := [2]int{600, 400}
	for _, kind := range []ghostKind{ofRecent, ofFrequent} {
		var g ghosts
		if got := g.take(1, spans); got != noGhost {
			t.Fatalf("without ghosts: %v", got)
		}
		const n = 5000
		for i := range uint64(n) {
			g.add(i, kind, spans, records)
		}
		known := 0
		for i := range uint64(n) {
			switch got := g.take(i, spans); {
			case got == noGhost:
			case got != kind:
				t.Fatalf("a ghost of %v is one of %v", kind, got)
			case i < uint64(n-spans[kind]):
				t.Fatalf("ghost %d is remembered too long", i)
			default:
				known++
			}
			if g.take(i, spans) != noGhost {
				t.Fatal("a ghost is taken twice")
			}
		}
		if known < spans[kind]*95/100 {
			t.Errorf("of %d ghosts of %v %d are remembered", spans[kind], kind, known)
		}
		strangers := 0
		for range 10_000 {
			if g.take(rand.Uint64(), spans) != noGhost {
				strangers++
			}
		}
		if strangers > 1 {
			t.Errorf("%d strangers are taken for ghosts", strangers)
		}
	}
}

// The numbers of evictions go round.
func TestGhostsGoOn(t *testing.T) {
	g := ghosts{last: [2]uint32{ghostNumbers - 2, 0}}
	for i := range uint64(6) {
		g.add(i, ofRecent, [2]int{10, 10}, 10)
	}
	for i := range uint64(6) {
		if got := g.take(i, [2]int{4, 10}); (got == ofRecent) != (i >= 2) {
			t.Errorf("ghost %d: %v", i, got)
		}
	}
}

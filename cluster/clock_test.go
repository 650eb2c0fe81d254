package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

func TestClock(t *testing.T) {
	c := newClock(1)
	far := c.followed() + uint64(10*maxAhead.Milliseconds())<<counterBits
	seen := make(map[uint64]bool)
	for i := range 1000 {
		floor := uint64(0)
		switch i % 4 {
		case 1:
			floor = far
		case 2:
			floor = far + uint64(i)
		case 3:
			floor = maxVersion
		}
		v, ok := c.Next(floor)
		if !ok || v <= floor || seen[v] {
			t.Fatalf("Next(%d) is %d, given before: %t", floor, v, seen[v])
		}
		seen[v] = true
	}
	if ahead := c.Now() - c.physical(); c.Now() > c.followed() {
		t.Errorf("the clock is %v ahead", time.Duration(ahead>>counterBits)*time.Millisecond)
	}
	c.Observe(far)
	if c.Now() >= far {
		t.Error("an absurd clock is followed")
	}
	near := c.physical() + uint64(time.Minute.Milliseconds())<<counterBits
	c.Observe(near)
	if v, _ := c.Next(0); v <= near {
		t.Error("a clock a minute ahead is not followed")
	}
}

// With the fence on no version is made above what enough members let a node count
// to, whatever its clock shows, and who lets it count less than it has counted does
// not count for the fence.
func TestClockAnnounces(t *testing.T) {
	c := newClock(1)
	var s standing
	s.start(3, c)
	s.seats([]protocol.Member{1, 2, 3, 4}, 1)
	if v, ok := c.Next(0); ok {
		t.Fatalf("version %d, and nobody has heard of it", v)
	}
	if !c.short.Load() || !c.runsShort() {
		t.Error("nobody is told that versions are wanted")
	}
	first := c.announce()
	s.answered(2, 1, first)
	if _, ok := c.Next(0); ok {
		t.Fatal("one of two members has heard")
	}
	s.answered(3, 1, first)
	v, ok := c.Next(0)
	if !ok || v > first || v < c.physical()-1<<30 {
		t.Fatalf("Next is %d, %v, with %d announced", v, ok, first)
	}
	// A clock that jumps is not followed until that is announced.
	c.wall = func() time.Time { return time.Now().Add(time.Hour) }
	if w, ok := c.Next(0); !ok || w != v+1 {
		t.Errorf("after a jump Next is %d, %v, after %d", w, ok, v)
	}
	second := c.announce()
	s.answered(2, 2, second)
	if w, _ := c.Next(0); w > first {
		t.Errorf("%d is above what the second member has heard of", w)
	}
	s.answered(4, 2, second)
	if v, _ = c.Next(0); v < c.physical() || v > second {
		t.Errorf("Next is %d, with %d announced", v, second)
	}
	if s.fenced.Load() == 0 {
		t.Error("two members have answered, and it is fenced off")
	}
	// One of the two that have heard goes. The other who is left has not heard of v.
	s.seats([]protocol.Member{1, 2, 3}, 1)
	if w, ok := c.Next(0); ok {
		t.Errorf("version %d, and one member has heard of it", w)
	}
	if s.fenced.Load() != 0 {
		t.Errorf("it answers with versions that only one member has heard of")
	}
	s.answered(3, 3, c.announce())
	if _, ok := c.Next(v); !ok || s.fenced.Load() == 0 {
		t.Error("it has announced that anew, and is fenced off")
	}
	// Every clock is followed.
	if c.Observe(v + 1<<60); c.Now() != v+1<<60 {
		t.Error("a clock that is far ahead is not followed")
	}
}

// Adding names takes no longer the more there are, and the digest depends on
// what was cleared alone.
func TestRegistry(t *testing.T) {
	a, b := newTestRegistry(t), newTestRegistry(t)
	const names = maxCaches - 100
	for i := range names {
		for r, n := range map[*registry]int{a: i, b: names - 1 - i} {
			s, err := r.space(fmt.Append(nil, "cache", n))
			if err != nil || r.numbered(s.number) != s || r.find(s.name) != s {
				t.Fatalf("%v, %v", s, err)
			}
		}
	}
	if a.Digest() != 0 {
		t.Error("nothing was cleared, and the digest is not zero")
	}
	for i := range 100 {
		for r, n := range map[*registry]int{a: i, b: 99 - i} {
			s := r.find(fmt.Sprint("cache", n))
			r.Merge(s.number, protocol.Generation{Count: uint64(n + 1), Raiser: 7})
		}
	}
	if a.Digest() != b.Digest() || a.Digest() == 0 {
		t.Errorf("digests are %x and %x", a.Digest(), b.Digest())
	}
	a.Raise(a.find("cache5").number, protocol.Generation{})
	if a.Digest() == b.Digest() {
		t.Error("a clear does not change the digest")
	}
	for i := names; ; i++ {
		if _, err := a.space(fmt.Append(nil, "cache", i)); err != nil {
			if !errors.Is(err, ErrTooManyCaches) || len(*a.list.Load()) != maxCaches {
				t.Errorf("%d caches: %v", len(*a.list.Load()), err)
			}
			return
		}
	}
}

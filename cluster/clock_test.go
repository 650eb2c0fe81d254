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
		v := c.Next(floor)
		if v <= floor || seen[v] {
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
	if v := c.Next(0); v <= near {
		t.Error("a clock a minute ahead is not followed")
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

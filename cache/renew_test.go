package cache

import (
	"testing"
	"time"
)

// A near copy that is lent again keeps its decoded value, also if its lease was over;
// what differs in anything does not take another's.
func TestRenew(t *testing.T) {
	now := time.Duration(1000)
	s, _ := open(t, Config{Budget: 1 << 20, MaxValue: 1000, Clock: func() time.Duration { return now }})
	s.Close()
	ref := Ref{Hash: 7, Key: "k"}
	lent := Entry{Kind: Near, Version: 5, Value: []byte("value"), LeaseEnd: now + 10, Expires: now + 100}
	put := func(e Entry, want Result) {
		t.Helper()
		e.Value = append([]byte(nil), e.Value...)
		if got, err := s.Put(ref, e); got != want || err != nil {
			t.Fatalf("Put is %d, %v; want %d", got, err, want)
		}
	}
	decoded := func(want any) {
		t.Helper()
		hit, ok := s.Get(Near, ref.Hash, ref.Cache, ref.Key)
		if !ok || hit.Decoded != want {
			t.Fatalf("it is there: %v; decoded: %v, not %v", ok, hit.Decoded, want)
		}
	}
	put(lent, Stored)
	s.SetDecoded(ref, 5, "decoded")
	bytes := s.Stats().Near.Bytes
	now += 20
	if _, ok := s.Get(Near, ref.Hash, ref.Cache, ref.Key); ok {
		t.Fatal("it is a hit when its lease is over")
	}
	again := lent
	again.LeaseEnd, again.Expires = now+10, now+200
	put(again, Stored)
	decoded("decoded")
	if got := s.Stats().Near.Bytes; got != bytes {
		t.Errorf("%d bytes, and before %d", got, bytes)
	}
	sooner := again
	sooner.LeaseEnd = now + 5 // an answer that was late
	put(sooner, Stored)
	now += 9
	decoded("decoded")
	// The time to live is still the first one.
	again.LeaseEnd = now + 1000
	put(again, Stored)
	now = lent.Expires
	if _, ok := s.Get(Near, ref.Hash, ref.Cache, ref.Key); ok {
		t.Fatal("it outlives its time to live")
	}
	again.LeaseEnd, again.Expires = now+10, now+100
	put(again, Stored)
	decoded(nil)
	s.SetDecoded(ref, 5, "decoded")
	other := again
	other.Version, other.Value = 6, []byte("other")
	put(other, Stored)
	decoded(nil)
	s.SetDecoded(ref, 6, "decoded")
	clearIn(s, 0, 1)
	put(other, Older) // cleared
	other.Generation = 1
	put(other, Stored)
	decoded(nil)
}

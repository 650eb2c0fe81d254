package cache

import (
	"fmt"
	"testing"
)

func collide(i int) Ref {
	return Ref{Hash: 0xabcdef, Cache: uint32(i % 2), Key: fmt.Sprintf("%8d", i/2)}
}

func TestKeysOfOneHash(t *testing.T) {
	const n = maxSame
	s, _ := open(t, Config{})
	for i := range n {
		put(t, s, collide(i), Entry{Version: uint64(i + 1), Value: []byte{byte(i)}})
		put(t, s, collide(i), Entry{Kind: Staged, Version: 100})
	}
	gone := make(map[int]bool)
	all := func() {
		t.Helper()
		check(t, s)
		for i := range n {
			r := collide(i)
			h, ok := s.Get(Owned, r.Hash, r.Cache, r.Key)
			if ok == gone[i] || ok && h.Value[0] != byte(i) {
				t.Fatalf("key %d: %v, %+v", i, ok, h)
			}
		}
		if d := s.Digest(int(uint64(0xabcdef)%Slots), OwnedOnly); int(d.Count) != n-len(gone) {
			t.Fatalf("%+v with %d gone", d, len(gone))
		}
	}
	all()
	for i := range n {
		put(t, s, collide(i), Entry{Version: uint64(i + 50), Value: []byte{byte(i)}})
		s.SetDecoded(collide(i), uint64(i+50), i)
	}
	for i := range n {
		r := collide(i)
		if h, _ := s.Get(Owned, r.Hash, r.Cache, r.Key); h.Decoded != i {
			t.Fatalf("key %d: %+v", i, h)
		}
	}
	all()
	for _, i := range []int{7, 0, n - 1, 1, 8, 2} { // first, last and between
		s.Drop(collide(i), OwnedOnly)
		gone[i] = true
		all()
	}
	s.Promote(int(uint64(0xabcdef) % Slots))
	for i := range n {
		if e, ok := s.Peek(collide(i), Owned); !ok || e.Version != 100 {
			t.Fatalf("key %d: %+v, %v", i, e, ok)
		}
	}
	s.DropSlot(int(uint64(0xabcdef)%Slots), AllKinds)
	if st := s.Stats(); st.Bytes != 0 || s.index[Owned][0xabcdef%Slots].more.Load() != nil {
		t.Errorf("%+v", st)
	}
}

func TestKeysOfOneHashAreBounded(t *testing.T) {
	s, _ := open(t, Config{})
	for i := range 10 * maxSame {
		put(t, s, collide(i), Entry{Version: uint64(i + 1)})
		if !has(s, collide(i), Owned) {
			t.Fatalf("key %d is not kept", i)
		}
	}
	if st := s.Stats(); st.Owned.Entries != maxSame || st.Owned.Evictions != 9*maxSame {
		t.Errorf("%+v", st)
	}
	if f := s.Floor(0xabcdef % Slots); f != 9*maxSame { // the lowest versions went
		t.Errorf("the floor is %d", f)
	}
}

func TestKeysOfOneHashGiveWay(t *testing.T) {
	s, _ := open(t, oneShard(roomy, 5000))
	for i := range 8 {
		put(t, s, collide(i), Entry{Version: uint64(i + 1), Value: make([]byte, 5000-Overhead-8)})
	}
	for i := range 8 { // whatever grows, it is another that goes
		put(t, s, collide(20+i), Entry{Version: 50, Value: make([]byte, 5000-Overhead-8)})
		if !has(s, collide(20+i), Owned) {
			t.Fatalf("key %d is not kept", 20+i)
		}
		s.SetDecoded(collide(20+i), 50, i)
		r := collide(20 + i)
		if h, ok := s.Get(Owned, r.Hash, r.Cache, r.Key); !ok || h.Decoded != i {
			t.Fatalf("key %d: %v, %+v", 20+i, ok, h)
		}
		check(t, s)
	}
	if st := s.Stats(); st.Bytes > roomy || st.Owned.Entries < 4 {
		t.Errorf("%+v", st)
	}
}

package cache

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A hit goes on while somebody has the shard's lock.
func TestHitTakesNoLock(t *testing.T) {
	s, _ := open(t, Config{})
	put(t, s, ref, Entry{Version: 1, Expires: 2000})
	put(t, s, ref, Entry{Kind: Near, Version: 1, LeaseEnd: 2000})
	s.SetDecoded(ref, 1, "decoded")
	sh := s.shard(ref.Hash)
	sh.mu.Lock()
	done := make(chan bool)
	go func() { // ended by the unlocking at the latest
		_, owned := s.Get(Owned, ref.Hash, ref.Cache, ref.Key)
		_, near := s.Get(Near, ref.Hash, ref.Cache, ref.Key)
		done <- owned && near
	}()
	select {
	case ok := <-done:
		sh.mu.Unlock()
		if !ok {
			t.Error("no hit")
		}
	case <-time.After(10 * time.Second):
		sh.mu.Unlock()
		<-done
		t.Error("a hit waits for the lock")
	}
}

func TestHitsAreExact(t *testing.T) {
	var h hits
	const goroutines, each = 300, 15_000 // far more goroutines than stripes
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range goroutines {
		wg.Go(func() {
			<-start // so that each has a stack of its own
			for i := range each {
				h.add(Kind(i % 3 / 2))
			}
		})
	}
	close(start)
	wg.Wait()
	if owned, near := h.sum(Owned), h.sum(Near); owned != goroutines*each*2/3 || near != goroutines*each/3 {
		t.Errorf("%d and %d", owned, near)
	}
}

// With a multiplier of 1 all of these keys belong into the first bucket, more
// than a bucket can count.
func TestKeysOfOneBucket(t *testing.T) {
	s, _ := open(t, Config{})
	s.odd = 1
	const n = 400
	at := func(i int) Ref { return inSlot(5, i) }
	order := rand.Perm(n)
	for _, i := range order {
		put(t, s, at(i), Entry{Version: uint64(i + 1)})
	}
	check(t, s)
	left := n
	for _, i := range rand.Perm(n) {
		if h, ok := s.Get(Owned, at(i).Hash, 0, at(i).Key); !ok || h.Version != uint64(i+1) {
			t.Fatalf("key %d: %v, %+v", i, ok, h)
		}
		if !s.Drop(at(i), OwnedOnly) || has(s, at(i), Owned) {
			t.Fatalf("key %d is not dropped", i)
		}
		if left--; left%40 == 0 {
			check(t, s)
			if got := len(s.AppendSlot(nil, 5, OwnedOnly)); got != left {
				t.Fatalf("%d are left, want %d", got, left)
			}
		}
	}
}

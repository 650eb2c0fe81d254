package cache

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{}) // on its own clock, which is the bubble's
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const n, cycle = 10_000, sweepTicks * sweepEvery
		for i := range n {
			r := Ref{Hash: mix(uint64(i)), Cache: uint32(i % 2), Key: "key"}
			e := Entry{Version: 1}
			switch {
			case i%10 == 0:
				e.Expires = time.Minute
			case i%10 == 1:
				e.Expires, e.Tombstone = time.Minute, true
			case i%10 == 2:
				e.Kind, e.LeaseEnd = Near, 30*time.Second
			}
			put(t, s, r, e)
		}
		entries := func(want int) {
			t.Helper()
			synctest.Wait()
			if st := s.Stats(); st.Owned.Entries+st.Near.Entries != want {
				t.Errorf("after %v: %+v, want %d entries", s.clock(), st, want)
			}
			check(t, s)
		}
		time.Sleep(30*time.Second - 1)
		entries(n)
		time.Sleep(cycle + 1)
		entries(n - n/10)
		time.Sleep(time.Minute)
		entries(n - 3*n/10)
		clearIn(s, 1, 1)
		entries(n - 3*n/10) // cheap: nothing is freed at once
		time.Sleep(cycle)
		entries(n * 3 / 10) // the even ones of cache 0 that never end
		st := s.Stats()
		if st.Owned.Expirations != n/5 || st.Near.Expirations != n/10 || st.Owned.Cleared != n*4/10 || st.Tombstones != 0 || st.Owned.Evictions != 0 {
			t.Errorf("%+v", st)
		}
		clearIn(s, 0, 1)
		time.Sleep(2 * cycle)
		entries(0)
		for i := range s.shards {
			if n := s.shards[i].held[Owned].peak; n != 0 {
				t.Errorf("an empty shard has a map for %d entries", n)
			}
		}
	})
}

// Without a sweeper what has ended is freed when somebody comes upon it.
func TestCloseStopsTheSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, ref, Entry{Version: 1, Expires: time.Second})
		put(t, s, Ref{Hash: 1}, Entry{Version: 1, Expires: time.Second})
		done := make(chan struct{})
		for range 3 {
			go func() { s.Close(); done <- struct{}{} }()
		}
		for range 3 {
			<-done
		}
		time.Sleep(time.Hour)
		if n := s.Stats().Owned.Entries; n != 2 {
			t.Errorf("%d entries", n)
		}
		s.Get(Owned, ref.Hash, ref.Cache, ref.Key)
		if st := s.Stats(); st.Owned.Entries != 1 || st.Owned.Expirations != 1 {
			t.Errorf("%+v", st)
		}
		put(t, s, Ref{Hash: 1}, Entry{Version: 1})
	})
}

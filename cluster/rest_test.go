package cluster

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A node rests only while calls go on.
func TestRests(t *testing.T) {
	calls := uint64(0)
	r := rests{calls: func() uint64 { return calls }}
	now := time.Second
	r.worked(now, time.Millisecond/10)
	if left := r.left(now); left > 0 {
		t.Errorf("without calls: rests for %v", left)
	}
	calls++
	now += callsEvery
	for took, want := range map[time.Duration]time.Duration{
		time.Millisecond / 10: restFor * time.Millisecond / 10,
		time.Second:           restMost,
	} {
		r.worked(now, took)
		if left := r.left(now); left != want {
			t.Errorf("after %v with calls: rests for %v, not %v", took, left, want)
		}
		if left := r.left(now + want/2); left != want/2 {
			t.Errorf("in the middle of %v: %v", want, left)
		}
	}
	now += callsEvery
	r.worked(now, time.Millisecond/10)
	if r.left(now) <= 0 {
		t.Error("does not rest soon after a call")
	}
	now += calledFor
	r.worked(now, time.Millisecond/10)
	if left := r.left(now); left > 0 {
		t.Errorf("%v after the last call: rests for %v", calledFor, left)
	}
}

// A copy that would be over too late does not rest.
func TestRestsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{clock: newClock()}
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		time.Sleep(3 * time.Second) // half of three quarters
		for done, want := range map[int]pressing{0: true, 49: true, 51: false, 100: false} {
			if got := n.behind(ctx, 0, done, 100); got != want {
				t.Errorf("with %d of 100 done: behind is %t", done, got)
			}
		}
		if n.behind(context.Background(), 0, 0, 100) {
			t.Error("without a deadline: behind")
		}
	})
}

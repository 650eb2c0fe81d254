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
	rests := func(took time.Duration) time.Duration {
		r.worked(now, took)
		r.before(now)
		return r.before(now)
	}
	if got := rests(time.Millisecond / 10); got > 0 {
		t.Errorf("without calls: rests for %v", got)
	}
	calls++
	for took, want := range map[time.Duration]time.Duration{
		time.Millisecond / 10: restFor * time.Millisecond / 10,
		time.Second:           restMost,
	} {
		now += 2 * restMost
		if got := rests(took); got != want {
			t.Errorf("after %v with calls: rests for %v, not %v", took, got, want)
		}
	}
	now += calledFor - 1 - 2*restMost
	if got := rests(time.Millisecond / 10); got <= 0 {
		t.Error("does not rest soon after a call")
	}
	now += callsEvery
	if got := rests(time.Millisecond / 10); got > 0 {
		t.Errorf("%v after the last call: rests for %v", calledFor, got)
	}
}

// Those who work at the same time have their turns one after another, and nobody
// waits for long.
func TestRestsInTurns(t *testing.T) {
	r := rests{calls: func() uint64 { return 1 }}
	const now = time.Second
	r.worked(now, time.Second)
	for i := range 100 {
		if got, want := r.before(now), min(time.Duration(i)*restMost, turnMost); got != want {
			t.Errorf("the %d. waits for %v, not %v", i, got, want)
		}
	}
}

// A copy that would be over too late does not rest.
func TestRestsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{clock: newClock(1)}
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

package sim

import (
	"testing"
	"time"
)

// A host's wall clock is wrong, drifts and jumps by itself, and is steady
// otherwise.
func TestWallClock(t *testing.T) {
	simulated(t, LAN(), func(t *testing.T, n *Network, a, b *Process) {
		off := func() time.Duration { return time.Until(a.host.Now()) }
		want := func(d time.Duration) {
			t.Helper()
			if got := off(); got != d {
				t.Errorf("the clock is wrong by %v, not %v", got, d)
			}
		}
		want(0)
		a.host.SetClock(-10*time.Minute, 0)
		time.Sleep(time.Hour)
		want(-10 * time.Minute)
		a.host.SetClock(time.Minute, 0.001)
		time.Sleep(1000 * time.Second)
		want(time.Minute + time.Second)
		a.host.JumpClock(-5 * time.Minute)
		want(-4*time.Minute + time.Second)
		time.Sleep(1000 * time.Second)
		want(-4*time.Minute + 2*time.Second)
		if d := time.Until(b.host.Now()); d != 0 {
			t.Errorf("another host's clock is wrong by %v", d)
		}
		a.host.Crash()
		a.host.Restart("")
		want(-4*time.Minute + 2*time.Second)
	})
}

package sim

import "time"

// wallClock is a host's idea of the time of day: it may be wrong, run too fast
// or too slow, and jump. Network.mu guards it.
type wallClock struct {
	ahead time.Duration // of the true time, at since
	drift float64       // seconds gained in each second
	since time.Duration // on the network's clock
}

func (w *wallClock) error(now time.Duration) time.Duration {
	return w.ahead + time.Duration(float64(now-w.since)*w.drift)
}

// Now is the time of day as the host has it. Only wall clocks can be wrong here:
// the monotonic one is the bubble's, the same for all that live in it, so two
// hosts whose monotonic clocks run at different speeds cannot be simulated.
func (h *Host) Now() time.Time {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	now := h.net.now()
	return h.net.start.Add(now + h.clock.error(now))
}

// SetClock sets the host's wall clock ahead of the true time, or behind it. From
// then on it gains drift seconds in each second.
func (h *Host) SetClock(ahead time.Duration, drift float64) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.clock = wallClock{ahead: ahead, drift: drift, since: h.net.now()}
}

// JumpClock moves the host's wall clock, as somebody does who sets it.
func (h *Host) JumpClock(by time.Duration) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.clock.ahead += by
}

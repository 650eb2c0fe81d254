package protocol

import "time"

// repeat says when a message that was not answered is sent again. Each time it
// waits twice as long as before, so that members that are slow are not made
// slower.
type repeat struct {
	at   time.Duration
	wait time.Duration
}

// maxDoublings bounds the wait: to 16 times the first.
const maxDoublings = 4

// start begins to wait.
func (r *repeat) start(now, first time.Duration) { r.at, r.wait = now+first, first }

// due tells whether it is time, and if so begins to wait again.
func (r *repeat) due(now, first time.Duration) bool {
	if now < r.at {
		return false
	}
	r.wait = min(2*r.wait, first<<maxDoublings)
	r.at = now + r.wait
	return true
}

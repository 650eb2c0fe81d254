package gossip

import (
	"sync"
	"time"
)

// slack is how exactly goroutines are woken. One whose timer fires at the very
// moment at which Close stops waiting has still to end.
const slack = 50 * time.Millisecond

// rhythm follows memberlist's probes, as far as it tells of them: only when one
// was answered at once.
type rhythm struct {
	mu           sync.Mutex // guards all below
	last, before time.Time  // when the last two of these began
}

func (r *rhythm) probed(begin time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.before = begin, r.last
}

// resting tells whether memberlist is certainly between two probes. They begin
// one interval apart, and later after one that was not answered, when those that
// follow are closer together until the clock is caught up with.
func (r *rhythm) resting(interval time.Duration, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	off := (r.last.Sub(r.before) - interval).Abs()
	return !r.before.IsZero() && off < slack && now.Sub(r.last) < interval-2*slack
}

// linger returns how long memberlist may still have goroutines that only a timer
// ends, after it is shut down: one that was asked to probe a third member waits
// for a probe's timeout, and a probe of its own lasts one interval, or several
// when the node has had reason to slow down.
func (g *Gossip) linger() time.Duration {
	c := g.tuning
	probe := c.ProbeInterval * time.Duration(g.list.GetHealthScore()+1)
	alone := g.members.aloneFor()
	switch {
	case alone > max(probe, c.ProbeTimeout):
		return 0
	case g.delegate.rhythm.resting(c.ProbeInterval, time.Now()):
		return c.ProbeTimeout + slack
	}
	return max(probe, c.ProbeTimeout) + slack
}

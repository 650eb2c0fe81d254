package gossip

import (
	"slices"
	"sync"
	"time"
)

// How many members that failed are remembered, and how long.
const (
	maxDead = 256
	deadFor = 24 * time.Hour
)

// graveyard remembers the members that failed and where they were, for the
// seeker to look for them: each half of a network that was cut apart takes the
// other for dead, and memberlist forgets the dead after half a minute.
type graveyard struct {
	wake chan struct{} // somebody failed

	mu   sync.Mutex // guards dead
	dead []*lost    // the longest dead first
}

// lost is a member that failed.
type lost struct {
	id, addr string
	since    time.Time
	backoff  // a copy's is handed back by keep
}

func newGraveyard() *graveyard { return &graveyard{wake: make(chan struct{}, 1)} }

// add remembers m, which has just failed. It is tried for the first time a
// little later, since most who fail are gone.
func (y *graveyard) add(m Member, now time.Time) {
	y.mu.Lock()
	defer y.mu.Unlock()
	d := &lost{id: m.ID, addr: m.Addr, since: now}
	d.failed(now)
	y.dead = slices.DeleteFunc(y.dead, func(o *lost) bool { return o.addr == m.Addr })
	if len(y.dead) >= maxDead {
		y.dead = slices.Delete(y.dead, 0, 1)
	}
	y.dead = append(y.dead, d)
	select {
	case y.wake <- struct{}{}:
	default:
	}
}

// forget drops what is remembered of m, which is a member now, and of whoever
// was at its address.
func (y *graveyard) forget(m Member) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.dead = slices.DeleteFunc(y.dead, func(o *lost) bool { return o.id == m.ID || o.addr == m.Addr })
}

// due returns copies of those to be tried now.
func (y *graveyard) due(now time.Time) []*lost {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.dead = slices.DeleteFunc(y.dead, func(o *lost) bool { return now.Sub(o.since) > deadFor })
	var list []*lost
	for _, d := range y.dead {
		if d.due(now) {
			c := *d
			list = append(list, &c)
		}
	}
	return list
}

// keep takes over when to try those again that due returned.
func (y *graveyard) keep(tried []*lost) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, t := range tried {
		for _, d := range y.dead {
			if d.id == t.id && d.since.Equal(t.since) {
				d.backoff = t.backoff
			}
		}
	}
}

// next returns when somebody is to be tried.
func (y *graveyard) next() (when time.Time, ok bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, d := range y.dead {
		if !ok || d.backoff.next.Before(when) {
			when, ok = d.backoff.next, true
		}
	}
	return when, ok
}

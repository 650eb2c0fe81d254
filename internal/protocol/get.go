package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Get is a read that has come to the owner.
type Get struct {
	Call     Call
	From     Member
	Ref      cache.Ref
	Near     time.Duration // how long From would keep a copy; 0: it would not
	Load     bool          // a miss is to be loaded
	Deadline time.Duration
}

// Get reads a key as its owner, or says that this node is not.
func (s *Slot) Get(g Get, now time.Duration, out *Out) {
	if s.owner != s.sh.Self {
		out.answer(Answer{Call: g.Call, Status: NotMine})
		return
	}
	if !s.active {
		held := g
		s.park(parked{get: &held}, now, out)
		return
	}
	e, ok := s.sh.Memory.Peek(g.Ref, cache.Owned)
	if ok && !e.Tombstone {
		a := s.found(g.Call, g.Ref, e, now)
		a.Lease = s.lend(g, now)
		out.answer(a)
		return
	}
	if g.Load && !(ok && e.Negative) {
		s.load(g, now, out)
		return
	}
	out.answer(Answer{Call: g.Call, Status: Missing, Generation: s.sh.Generations.Of(g.Ref.Cache)})
}

func (s *Slot) found(call Call, ref cache.Ref, e cache.Entry, now time.Duration) Answer {
	return Answer{
		Call: call, Status: Found, Value: e.Value, Version: e.Version, Count: e.Generation,
		Left: left(e.Expires, now), Generation: s.sh.Generations.Of(ref.Cache),
	}
}

// left turns a point of expiry into what is left of it, at least 1 ns where
// there is one.
func left(expires, now time.Duration) time.Duration {
	if expires == 0 {
		return 0
	}
	return max(expires-now, 1)
}

// until is the opposite of left.
func until(left, now time.Duration) time.Duration {
	if left == 0 {
		return 0
	}
	return now + left
}

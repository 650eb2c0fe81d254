package cluster

import (
	"context"
	"sync"
	"time"
)

// Contents of slots that nobody waits for are worked on in peace: while calls go
// on at a node, it rests after each piece, many times as long as the piece took.
// So a copy takes a small part of the processors, also where they are slow or
// much asked for, and calls hardly notice it. Where nobody calls, and for contents
// that a call may wait for, there is no rest.

const (
	// restFor is how many times as long a node rests as it has worked.
	restFor = 20
	// restMost bounds one rest, and turnMost how long a piece waits for its turn:
	// who waits may be a connection's reader, and the other side is to hear from it.
	restMost = 10 * time.Millisecond
	turnMost = 200 * time.Millisecond
	// calledFor is how long a call is taken for a sign of more.
	calledFor = 100 * time.Millisecond
	// callsEvery is how often it is looked whether there are calls.
	callsEvery = 10 * time.Millisecond
)

// rests are when a node works on contents and when it does not. Times are the
// node's monotonic clock's.
type rests struct {
	calls func() uint64 // counts the calls here

	mu     sync.Mutex    // guards what follows
	next   time.Duration // when the next piece may be worked on
	pause  time.Duration // after it
	called time.Duration // until when calls are thought to go on
	count  uint64        // of calls, when it was last looked
	look   time.Duration // when to look again
}

// before returns how long to rest before a piece is worked on. Those who ask have
// their turns one after another.
func (r *rests) before(now time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	turn := min(max(r.next, now), now+turnMost)
	r.next = turn + r.pause
	return turn - now
}

// worked notes that a piece has taken so long, which is what the next one is thought
// to take.
func (r *rests) worked(now, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pause = 0
	if r.callsGoOn(now) {
		r.pause = min(restFor*took, restMost)
	}
}

// calling tells whether calls go on here.
func (r *rests) calling(now time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.callsGoOn(now)
}

func (r *rests) callsGoOn(now time.Duration) bool {
	if now >= r.look {
		r.look = now + callsEvery
		if count := r.calls(); count != r.count {
			r.count, r.called = count, now+calledFor
		}
	}
	return now < r.called
}

// behind tells whether a copy that began then, and has come so far, would be over
// later than with three quarters of its time at its pace until now. The rest is for
// those who do not keep their pace.
func (n *Node) behind(ctx context.Context, began time.Duration, done, of int) pressing {
	end, ok := ctx.Deadline()
	if !ok {
		return false
	}
	used := n.clock.now() - began
	all := (used + time.Until(end)) * 3 / 4
	return pressing(used.Seconds()*float64(of) > all.Seconds()*float64(done))
}

// called counts the calls that this node has answered from its memory, has passed
// on, or has been asked to answer.
func (n *Node) called() uint64 {
	c := n.store.Hits() + n.counts.served.Load()
	for _, k := range []int{int(kindGet), int(kindSet), int(kindDelete), int(kindMany)} {
		c += n.counts.calls[k].Load()
	}
	return c
}

package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// pacer begins what a change of tables makes necessary for slots that no call
// waits for, so many at a time (see Slot.Proceed): so a slot that a call comes to
// need meanwhile has few before it in every queue, here and at the others.
type pacer struct {
	waiting atomic.Int64 // slots for which something is to begin
	asking  atomic.Int64 // slots for which others were asked and have not all answered
	// until says how long more is begun at a time, on the node's clock: members are
	// gone that had not said so, or were, and of some slots there is but one copy.
	until atomic.Int64

	// mu is held by the one who begins; nobody waits for it. It guards next.
	mu   sync.Mutex
	next int // the part to look at next
}

const (
	// paceSlots is for how many slots a node asks at a time. What they have to say
	// to one member is some kilobytes, and so are worth a frame.
	paceSlots = 64
	// paceLeast is how many more are begun with each tick, whoever has answered:
	// members that are far away, or silent, hold up nothing but what needs them. Calls
	// notice twice as many.
	paceLeast = 16
	// paceHurry is paceLeast for hurryFor after a member was lost or met again.
	paceHurry = 32
	hurryFor  = 10 * time.Second
)

// more begins more, where less than half of what may be under way is. While calls
// go on there is more with each tick only.
func (r *pacer) more(n *Node) {
	if r.waiting.Load() > 0 && r.asking.Load() < paceSlots/2 && !n.rests.calling(n.clock.now()) {
		r.begin(n, paceSlots)
	}
}

// begin begins what waits until most slots are under way, which are more than now, or
// nothing waits.
func (r *pacer) begin(n *Node, most int64) {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	for range partCount {
		if p := &n.parts[r.next]; p.waits.Load() != 0 {
			n.proceed(r.next, p, int(most-r.asking.Load()))
		}
		if r.waiting.Load() == 0 || r.asking.Load() >= most {
			return
		}
		r.next = (r.next + 1) % partCount
	}
}

func (r *pacer) tick(n *Node) {
	waiting := r.waiting.Load()
	if waiting == 0 {
		return
	}
	least := int64(paceLeast)
	if int64(n.clock.now()) < r.until.Load() {
		least = paceHurry
	}
	r.begin(n, r.asking.Load()+max(least, waiting/n.ticksToLeave()))
}

// hurry begins more at a time: a member was just lost, or has been met that was.
func (r *pacer) hurry(now time.Duration) { r.until.Store(int64(now + hurryFor)) }

// ticksToLeave is how often tick comes in half of the time until the first of the
// members is gone that are about to leave: before it goes, all that it has is to be
// taken.
func (n *Node) ticksToLeave() int64 {
	now := n.clock.now()
	first := now + leaveFor
	for _, l := range *n.members.linked.Load() {
		if by := time.Duration(l.leavesBy.Load()); by != 0 {
			first = min(first, by)
		}
	}
	return max(1, int64((first-now)/2/tickEvery))
}

package cluster

import "time"

// With the fence on, who takes the slots of a member that was taken out without its
// word may have none of its copies, and makes versions by its own clock. If that
// is behind, what it acknowledges has lower versions than what the other
// had acknowledged before, and when that one comes back the older value wins.
//
// So a node makes no version of which it has not said before how far it may count,
// to as many members as the fence wants: a ping says so, and its answer confirms it.
// Who takes that node out of its table moves its own clock on to what it has confirmed
// (roster.drop), before it grants or takes a slot under a table without it; and who
// leaves itself does so for all others, so that its last grants say it. One of those who have confirmed it is always among these, as with
// everything that rests on the fence, and the taker counts on from there. What a
// member has confirmed counts for as long as it is in the table. That is so
// whatever the clocks show, which is why each is followed, however far it is
// ahead.

// headroom is how far ahead a node says that it may count: longer than the answers to
// pings count.
const headroom = uint64(2*FenceFor/time.Millisecond) << counterBits

// announce returns how far this node is going to count, which a ping says.
func (c *clock) announce() uint64 {
	if !c.fenced {
		return 0
	}
	upTo := min(max(c.physical(), c.last.Load())+headroom, maxVersion-1)
	raise(&c.asked, upTo)
	return upTo
}

// runsShort tells whether a version may soon be wanted above what was announced.
func (c *clock) runsShort() bool {
	return c.fenced && max(c.physical(), c.last.Load())+headroom/2 > c.most.Load()
}

// pingPause is the least between two pings of a node.
const pingPause = 50 * time.Millisecond

// announceSoon pings again where a version waits for that. It is the tick's alone.
func (n *Node) announceSoon(now time.Duration) {
	if n.clock.short.Load() && now >= n.clock.mayAsk {
		n.clock.short.Store(false)
		n.clock.mayAsk = now + pingPause
		n.pings(nil)
	}
}

// nextAnnounced is Next with the fence on. Where the clock has jumped ahead of what
// was announced it counts on until it has announced more.
func (c *clock) nextAnnounced(floor uint64) (uint64, bool) {
	for {
		last, most := c.last.Load(), c.most.Load()
		v := max(last, floor) + 1
		if v > most {
			raise(&c.last, min(floor, maxVersion-1)) // so that it is announced
			c.short.Store(true)
			return 0, false
		}
		if p := c.physical() + c.own; p <= most {
			v = max(v, p)
		}
		if !c.last.CompareAndSwap(last, v) {
			continue
		}
		// most may fall meanwhile. Who lowers it looks at made after that.
		raise(&c.made, v)
		return v, v <= c.most.Load()
	}
}

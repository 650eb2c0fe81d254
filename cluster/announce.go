package cluster

// With the fence on, who takes the slots of a member that was taken out without its
// word may have none of its copies, and makes versions by its own clock. If that
// is behind, what it acknowledges has lower versions than what the other
// had acknowledged before, and when that one comes back the older value wins.
//
// So a node makes no version of which it has not said before how far it may count,
// to as many members as the fence wants: a ping says so, its answer confirms it, and
// a grant says how far anybody has said so to the giver. Of those who have confirmed
// it one is always among those who grant under a table without that node, as with
// everything that rests on the fence, and the taker counts on from there. What a
// member has confirmed counts for as long as it is in the table. That is so
// whatever the clocks show, which is why each is followed, however far it is
// ahead.

const (
	// headroom is how far ahead of its clock a node says that it may count: longer
	// than the answers to pings count.
	headroom = uint64(2*FenceFor/1e6) << counterBits
	// roomAhead is the same where the versions are ahead of the clock, and only
	// counted: more than are made between two pings.
	roomAhead = uint64(16) << counterBits
)

// announce returns how far this node is going to count, which a ping says.
func (c *clock) announce() uint64 {
	upTo := min(max(c.physical()+headroom, c.last.Load()+roomAhead), maxVersion-1)
	raise(&c.asked, upTo)
	return upTo
}

// runsShort tells whether a version may soon be wanted above what was announced.
func (c *clock) runsShort() bool { return c.last.Load()+roomAhead/2 > c.most.Load() }

// announceSoon pings again where a version waits for that.
func (n *Node) announceSoon() {
	if n.clock.short.Swap(false) {
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

// Heard implements protocol.Clock.
func (c *clock) Heard() uint64 { return max(c.last.Load(), c.told.Load()) }

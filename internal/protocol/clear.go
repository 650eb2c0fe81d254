package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Clears is the state machine of one node's clears. All its methods must be
// called under one lock, which the node holds for it.
//
// A clear raises its cache's generation here and asks every member to do the
// same. An answer names the generation that the member had before, the one
// that it has now, and the members that it knows; those that were not asked
// yet are asked too. The clear is done when all have the same generation, and
// that is above every one that a member had when it was first asked: what had
// been written before the clear began is then dead everywhere. So of two
// clears at the same time both end with the generation that their merge makes.
//
// Until then nobody forgets how new it was what the clear has removed: a member that
// has not cleared, and is cut off, may have something older, clear more often, and
// write that again (P3). The one who has cleared tells the others when all have, if
// nobody was given up that had not, and nobody is missed.
//
// With the fence on, a member that is taken out of the table without its word may
// still serve for a while. So there an answer counts only if its sender has this
// node's table, all are asked again when that changes, and the clear is done when
// for every sender the time is over that such a member has.
type Clears struct {
	sh    *Shared
	table *Table
	next  uint64
	open  map[uint64]*clearing
}

type clearing struct {
	call     Call
	number   uint64
	cache    uint32
	gen      Generation
	prior    uint64   // highest count that a member had when first asked
	asked    []Member // all so far that are not gone
	gone     []Member // are not asked any longer
	first    []Member // have not answered at all
	wait     []Member // have not confirmed gen
	begun    time.Duration
	deadline time.Duration
	resend   repeat
	after    time.Duration // when nobody serves any longer who was taken out; 0: nobody does
	gaveUp   bool          // not all who were asked have confirmed
}

// NewClears returns a node's clears, with none under way.
func NewClears(sh *Shared) *Clears {
	return &Clears{sh: sh, open: make(map[uint64]*clearing)}
}

// Open tells how many clears are under way.
func (c *Clears) Open() int { return len(c.open) }

// Start clears a cache on every member.
func (c *Clears) Start(call Call, number uint32, deadline, now time.Duration, out *Out) {
	if len(c.open) >= c.sh.MaxQueued {
		out.answer(Answer{Call: call, Status: Overloaded})
		return
	}
	c.next++
	before := c.sh.Generations.Of(number)
	x := &clearing{call: call, number: c.next, cache: number, prior: before.Count, begun: now, deadline: deadline}
	x.gen = c.sh.Generations.Raise(number, before)
	c.open[x.number] = x
	if c.table != nil {
		c.ask(x, c.table.Reach)
		if c.table.Barred > now {
			x.after = c.table.Barred
		}
	}
	x.resend.start(now, c.sh.Resend)
	c.sendAll(x, out)
	c.finish(x, out)
}

// ask adds those of members that were not asked yet.
func (c *Clears) ask(x *clearing, members []Member) {
	for _, m := range members {
		if m == c.sh.Self || contains(x.asked, m) || contains(x.gone, m) {
			continue
		}
		x.asked = append(x.asked, m)
		x.first = append(x.first, m)
		x.wait = append(x.wait, m)
	}
}

func (c *Clears) sendAll(x *clearing, out *Out) {
	for _, m := range x.wait {
		c.send(x, m, out)
	}
}

func (c *Clears) send(x *clearing, m Member, out *Out) {
	out.send(m, Message{Kind: Clear, Nonce: x.number, Ref: cache.Ref{Cache: x.cache}, Generation: x.gen})
}

// Handle takes a Clear, a Cleared or a Forget from another member.
func (c *Clears) Handle(from Member, m *Message, now time.Duration, out *Out) {
	switch m.Kind {
	case Clear:
		prior := c.sh.Generations.Of(m.Ref.Cache).Count
		answer := Message{Kind: Cleared, Nonce: m.Nonce, Ref: m.Ref, Prior: prior}
		answer.Generation = c.sh.Generations.Merge(m.Ref.Cache, m.Generation)
		if c.table != nil && !c.sh.off.clearAck {
			answer.Members = c.table.Reach
		}
		if c.table != nil && c.sh.Fenced {
			answer.Digest, answer.Wait = c.table.Digest, max(c.table.Barred-now, 0)
		}
		out.send(from, answer)
	case Cleared:
		c.onCleared(from, m, now, out)
	case Forget:
		c.sh.Generations.Forget(m.Ref.Cache, m.Generation)
	}
}

func (c *Clears) onCleared(from Member, m *Message, now time.Duration, out *Out) {
	x := c.open[m.Nonce]
	if x == nil || !contains(x.asked, from) {
		return
	}
	if contains(x.first, from) {
		x.first = without(x.first, from)
		x.prior = max(x.prior, m.Prior)
	}
	if m.Wait > 0 {
		x.after = max(x.after, now+m.Wait)
	}
	known := len(x.asked)
	c.ask(x, m.Members)
	gen := x.gen.Merge(m.Generation)
	if gen.Count <= x.prior {
		gen = c.sh.Generations.Raise(x.cache, Generation{Count: x.prior})
	}
	if gen != x.gen {
		x.gen = c.sh.Generations.Merge(x.cache, gen)
		x.wait = append(x.wait[:0], x.asked...)
		if c.confirms(m, x) {
			x.wait = without(x.wait, from)
		}
		c.sendAll(x, out)
		c.finish(x, out)
		return
	}
	if c.confirms(m, x) {
		x.wait = without(x.wait, from)
	}
	for _, m := range x.asked[known:] {
		c.send(x, m, out)
	}
	c.finish(x, out)
}

// confirms tells whether an answer says that its sender has the clear's
// generation.
func (c *Clears) confirms(m *Message, x *clearing) bool {
	return m.Generation == x.gen && (!c.sh.Fenced || c.table != nil && m.Digest == c.table.Digest)
}

func (c *Clears) finish(x *clearing, out *Out) {
	if len(x.wait) > 0 && !c.sh.off.confirm || x.after > 0 {
		return
	}
	delete(c.open, x.number)
	out.answer(Answer{Call: x.call, Status: Written})
	if x.gaveUp || !c.sh.Generations.Forget(x.cache, x.gen) {
		return
	}
	for _, m := range x.asked {
		out.send(m, Message{Kind: Forget, Ref: cache.Ref{Cache: x.cache}, Generation: x.gen})
	}
}

// Switch gives the clears a new table. Who is in it no longer is not waited
// for.
func (c *Clears) Switch(t *Table, out *Out) {
	old := c.table
	c.table = t
	if old == nil {
		return
	}
	if c.sh.Fenced {
		c.again(old, out)
		return
	}
	for _, m := range old.Reach {
		if !contains(t.Reach, m) {
			c.Gone(m, out)
		}
	}
}

// again lets everybody confirm again with the new table. Who is out of it may be
// named by another who has not heard of that, and is then waited for.
func (c *Clears) again(old *Table, out *Out) {
	for _, x := range c.open {
		for _, m := range old.Reach {
			if !contains(c.table.Reach, m) {
				x.asked, x.first, x.gaveUp = without(x.asked, m), without(x.first, m), true
			}
		}
		c.ask(x, c.table.Reach)
		x.wait = append(x.wait[:0], x.asked...)
		x.after = max(x.after, c.table.Barred)
		c.sendAll(x, out)
	}
}

// Gone says that the process of a member is known to be gone.
func (c *Clears) Gone(m Member, out *Out) {
	for _, x := range c.open {
		x.drop(m)
		c.finish(x, out)
	}
}

// unknownFor is how long a clear waits for a member that another one has named
// and that does not come into this node's table.
const unknownFor = 15 * time.Second

// giveUp ends waiting for members of whom this node has not heard all the while.
func (c *Clears) giveUp(x *clearing, now time.Duration, out *Out) {
	if now < x.begun+unknownFor {
		return
	}
	for _, m := range append([]Member(nil), x.wait...) {
		if c.table == nil || !contains(c.table.Reach, m) {
			x.drop(m)
		}
	}
	c.finish(x, out)
}

// drop ends asking a member.
func (x *clearing) drop(m Member) {
	x.gaveUp = x.gaveUp || contains(x.wait, m)
	x.wait = without(x.wait, m)
	x.first = without(x.first, m)
	x.asked = without(x.asked, m)
	if !contains(x.gone, m) {
		x.gone = append(x.gone, m)
	}
}

// Tick answers the callers whose deadline is over, and asks again.
func (c *Clears) Tick(now time.Duration, out *Out) {
	for _, x := range c.open {
		if now >= x.deadline && x.call != 0 {
			out.answer(Answer{Call: x.call, Status: Partial, Unconfirmed: append([]Member(nil), x.wait...)})
			x.call = 0
		}
		if now >= x.after {
			x.after = 0
		}
		if len(x.wait) == 0 && x.after == 0 {
			c.finish(x, out)
			continue
		}
		c.giveUp(x, now, out)
		if x.resend.due(now, c.sh.Resend) {
			c.sendAll(x, out)
		}
	}
}

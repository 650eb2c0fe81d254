package cluster

import (
	"context"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

const (
	partCount = 512
	// partSlots is at most the 64 bits of a part's masks.
	partSlots = slotCount / partCount
)

var _ [64 - partSlots]struct{}

// part is a group of slots under one lock. A slot's number modulo partCount is
// its part.
type part struct {
	// mu guards slots, calls and due, and the writing of the rest. Nothing is sent
	// on a connection while it is held.
	mu    sync.Mutex
	slots [partSlots]protocol.Slot
	calls calls
	busy  atomic.Uint64            // slots that Tick has something to do for
	due   [partSlots]time.Duration // when that is, for those in busy
	next  atomic.Int64             // the earliest of these, or before
	first *atomic.Int64            // the node's
	holds atomic.Uint64            // slots of which there is a copy here
	lost  atomic.Uint64            // of these, that another owns who may not serve them yet
	safe  atomic.Uint64            // slots that are served here, and whose backups have all of them
	waits atomic.Uint64            // slots for which something is to begin, see pacer
	asks  atomic.Uint64            // slots for which others have been asked
	pace  *pacer
}

// slot returns the part and the state machine of a slot.
func (n *Node) slot(num int) (*part, *protocol.Slot) {
	p := &n.parts[num%partCount]
	return p, &p.slots[num/partCount]
}

// after brings the masks up to date. It is called with mu held.
func (p *part) after(num int) {
	s, bit := &p.slots[num/partCount], uint64(1)<<(num/partCount)
	busy := s.Busy()
	set(&p.busy, bit, busy)
	if busy {
		due := s.Due()
		p.due[num/partCount] = due
		if int64(due) < p.next.Load() {
			p.next.Store(int64(due))
			lower(p.first, int64(due))
		}
	}
	set(&p.holds, bit, s.Holds())
	set(&p.lost, bit, s.Lost())
	set(&p.safe, bit, s.Safe())
	if set(&p.waits, bit, s.Waits()) {
		p.pace.waiting.Add(difference(s.Waits()))
	}
	if set(&p.asks, bit, s.Asks()) {
		p.pace.asking.Add(difference(s.Asks()))
	}
}

// lower makes a time at most t.
func lower(at *atomic.Int64, t int64) {
	for {
		old := at.Load()
		if t >= old || at.CompareAndSwap(old, t) {
			return
		}
	}
}

// set sets or clears a bit of a mask, and tells whether it was otherwise. Who
// calls it is the only one to write the mask.
func set(mask *atomic.Uint64, bit uint64, on bool) (changed bool) {
	was := mask.Load()
	if was&bit != 0 == on {
		return false
	}
	mask.Store(was ^ bit)
	return true
}

func difference(on bool) int64 {
	if on {
		return 1
	}
	return -1
}

// step is one visit to the protocol: what came out of it, and for whom its
// answers are.
type step struct {
	out  protocol.Out
	whom []caller
	from *wire.Conn // on which the message came that this is about, if any
	held *holding   // where answers are held back, if any are
}

// begin locks the part of a slot for a step.
func (n *Node) begin(num int) (*step, *part, *protocol.Slot) {
	st := n.steps.Get().(*step)
	p, s := n.slot(num)
	p.mu.Lock()
	return st, p, s
}

// end unlocks the part and acts on what came out.
func (n *Node) end(st *step, p *part, num int) {
	p.after(num)
	n.endAll(st, p)
}

// endAll is end for a step over several slots, whose masks are up to date.
func (n *Node) endAll(st *step, p *part) {
	p.leave(st)
	n.act(st)
}

// leave finds out for whom the answers are, and unlocks the part.
func (p *part) leave(st *step) {
	for i := range st.out.Answers {
		st.whom = append(st.whom, p.calls.take(st.out.Answers[i].Call))
	}
	p.mu.Unlock()
}

// act does what a step asks for: it sends, answers, runs loaders and fetches.
// No lock is held.
func (n *Node) act(st *step) {
	n.carryOut(st)
	n.pace.more(n)
}

func (n *Node) carryOut(st *step) {
	out := &st.out
	n.sendAll(out.Messages, st.from, st.held)
	for i := range out.Answers {
		st.whom[i].answer(n, &out.Answers[i], st.held)
	}
	for _, l := range out.Loads {
		n.load(l)
	}
	for _, f := range out.Fetches {
		n.fetch(f)
	}
	for _, ref := range out.Again {
		n.deleteAgain(ref)
	}
	for _, m := range out.Differ {
		n.exchangeSoon(m)
	}
	out.Reset()
	clear(st.whom)
	st.whom, st.from, st.held = st.whom[:0], nil, nil
	n.steps.Put(st)
}

// handle gives messages of another member, which came on c one after the other,
// to their slots, which are all of one part.
func (n *Node) handle(from protocol.Member, c *wire.Conn, list []protocol.Message, held *holding) {
	if len(list) == 0 {
		return
	}
	st := n.steps.Get().(*step)
	st.from, st.held = c, held
	now := n.clock.now()
	p := n.partOf(&list[0])
	p.mu.Lock()
	for i := range list {
		m := &list[i]
		p.slots[m.Slot/partCount].Handle(from, m, now, &st.out)
		p.after(m.Slot)
	}
	n.endAll(st, p)
}

// partOf returns the part that a message is for; nil for one that is not about a
// slot.
func (n *Node) partOf(m *protocol.Message) *part {
	if m.Kind == protocol.Clear || m.Kind == protocol.Cleared || m.Kind == protocol.Forget {
		return nil
	}
	return &n.parts[m.Slot%partCount]
}

// switchSlots gives all slots a new table. The roster's lock is held, so that
// tables come in one order everywhere. What follows for other members is queued
// for them at once; the rest is to be acted on after the lock is released. Gone is a
// member whose process is, and that is not in the table; 0: nobody.
func (n *Node) switchSlots(t *protocol.Table, stranger bool, gone protocol.Member) []*step {
	now := n.clock.now()
	// First: whom a slot is granted by this table, a clear has to ask.
	steps := []*step{n.clears.switchTo(n, t)}
	st := n.steps.Get().(*step)
	for i := range n.parts {
		p := &n.parts[i]
		p.mu.Lock()
		for j := range p.slots {
			if gone != 0 {
				p.slots[j].Gone(gone, now, &st.out)
			}
			p.slots[j].Switch(t, stranger, now, &st.out)
			p.after(i + j*partCount)
		}
		p.leave(st)
		n.sendAll(st.out.Messages, nil, nil)
		clear(st.out.Messages)
		st.out.Messages = st.out.Messages[:0]
		if !st.out.Empty() {
			steps = append(steps, st)
			st = n.steps.Get().(*step)
		}
	}
	return append(steps, st)
}

// proceed begins what waits in a part, for so many slots at most.
func (n *Node) proceed(i int, p *part, most int) {
	now := n.clock.now()
	st := n.steps.Get().(*step)
	p.mu.Lock()
	for mask := p.waits.Load(); mask != 0 && most > 0; mask &= mask - 1 {
		j := bits.TrailingZeros64(mask)
		most--
		p.slots[j].Proceed(now, &st.out)
		p.after(i + j*partCount)
	}
	p.leave(st)
	n.carryOut(st)
}

// goneFromSlots tells all slots that a member's process is gone.
func (n *Node) goneFromSlots(m protocol.Member) {
	now := n.clock.now()
	for i := range n.parts {
		p := &n.parts[i]
		st := n.steps.Get().(*step)
		p.mu.Lock()
		for j := range p.slots {
			p.slots[j].Gone(m, now, &st.out)
			p.after(i + j*partCount)
		}
		n.endAll(st, p)
	}
	n.clears.gone(n, m)
}

// tickEvery is how exact deadlines and repeats are.
const tickEvery = 10 * time.Millisecond

// tick runs the slots' timers until the node is closed.
func (n *Node) tick(ctx context.Context) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n.stalled()
		now := n.clock.now()
		n.tickParts(now)
		n.announceSoon(now)
		n.pace.tick(n)
		n.clears.tick(n)
		n.members.tick()
		n.handedOver()
	}
}

// handedOver tells those who listen when the last slot that this node has lost
// is served elsewhere.
func (n *Node) handedOver() {
	if n.handing.Load() == 0 || n.leftover() > 0 {
		return
	}
	if slots := n.handing.Swap(0); slots > 0 {
		n.events.tell(Event{Kind: HandedOver, Slots: int(slots)})
	}
}

// tickParts runs the timers that are due. Where none is it looks at no part.
func (n *Node) tickParts(now time.Duration) {
	if int64(now) < n.first.Load() {
		return
	}
	n.first.Store(math.MaxInt64) // before the parts are read: who lowers one then lowers this
	for i := range n.parts {
		p := &n.parts[i]
		if int64(now) >= p.next.Load() {
			n.tickPart(i, p)
		}
		lower(&n.first, p.next.Load())
	}
}

func (n *Node) tickPart(i int, p *part) {
	st := n.steps.Get().(*step)
	p.mu.Lock()
	now := n.clock.now() // not before: what came meanwhile was later than that
	next := time.Duration(math.MaxInt64)
	for mask := p.busy.Load(); mask != 0; mask &= mask - 1 {
		j := bits.TrailingZeros64(mask)
		if p.due[j] <= now {
			p.slots[j].Tick(now, &st.out)
			p.after(i + j*partCount)
		}
		if p.busy.Load()>>j&1 == 1 {
			next = min(next, p.due[j])
		}
	}
	p.next.Store(int64(next))
	n.endAll(st, p)
}

// leftover counts the slots that this node has a copy of and that another owns,
// of whom it does not know yet that he serves them.
func (n *Node) leftover() int {
	left := 0
	for i := range n.parts {
		left += bits.OnesCount64(n.parts[i].lost.Load())
	}
	return left
}

// holding counts the slots of which there is a copy here.
func (n *Node) holding() int {
	held := 0
	for i := range n.parts {
		held += bits.OnesCount64(n.parts[i].holds.Load())
	}
	return held
}

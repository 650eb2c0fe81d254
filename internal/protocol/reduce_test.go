package protocol

import (
	"slices"

	"github.com/peercache/peercache/cache"
)

// The search leaves out what another way shows at least as well. Each of these
// rests on one of two arguments.
//
// Worlds that behave alike are one:
//
//   - Of a value that no node has, no packet brings and nobody is yet to write,
//     the oracle's sets are not asked any longer; nor is it of who asked what
//     once a write is answered (forget).
//   - Writes of one kind are begun in the order of their numbers: the others
//     differ from that by names.
//
// And one world covers another: whatever may go wrong in the other may go wrong in
// it, since the nodes and what is on its way are the same, and the oracle's sets
// are larger. All that the oracle does, and all that is asked of it, only grows
// with its sets (a read or an answer that is known forbids more and allows
// nothing). So
//
//   - who has a value reads it at once (readAll);
//   - an answer to a write, and one to a read that leaves nothing at the reader's
//     node, is heard at once (hearsAtOnce): such an answer changes nothing but the
//     oracle, and what its caller may do next;
//   - so is the answer to a clear where that has no more to it than that it has come
//     (hastens): nothing but the clear's own answer waits for it;
//   - a request is sent when the owner gets to it, since what begins later has
//     more before it. That is not so where its sender goes on to another table
//     meanwhile, by which it would ask somebody else: then it is sent just before
//     (sendNow, sendGet), and is on its way from then on; nor where its sender may
//     crash, for then nobody may be left to send it (sendAhead);
//   - a near copy ends when something waits for that: to the protocol it makes
//     no difference, and a read of it forbids more.
//
// What this is not sound for: without the rule once, where a write is on its way
// twice, the writes' part is left out. TestReductionsChangeNothing searches with
// and without all of it, and TestRulesNeeded shows that what each rule is for is
// found with it.

// reduces tells whether anything is left out.
func (r *runner) reduces() bool { return !r.sc.plain }

// fuses tells whether a write is sent when it comes, and its answer heard when it
// is given.
func (r *runner) fuses() bool { return !r.sc.plain && !r.sc.off.once }

// readAll reads whatever a read finds without asking.
func (r *runner) readAll(w *world) {
	for {
		before := w.know
		for x := range uint8(4) {
			if n := w.nodes[x]; n.served|n.near != 0 && r.sc.getWho>>x&1 == 1 {
				r.readHere(w, x)
			}
		}
		if w.know == before {
			return
		}
	}
}

// hearsAtOnce tells whether an answer to x can do no more later than now.
func (r *runner) hearsAtOnce(w *world, x uint8, a *Answer) bool {
	switch a.Call &^ 0xff {
	case callWrite:
		return r.fuses()
	case callGet:
		kept := a.Lease && (w.sides[x].get.fresh || r.sc.off.epoch)
		n := w.nodes[x]
		return !kept && (a.Status == NotMine || a.Generation == n.gen.now && a.Version <= n.clock.last)
	}
	return false
}

// hastens tells whether p, that is on its way, can do no more later than now.
func (r *runner) hastens(w *world, p *packet) bool {
	switch {
	case p.kind == anAnswer:
		return r.hearsAtOnce(w, p.to, p.answer)
	case p.kind != aMessage || p.msg.Kind != Cleared || w.lose > 0 || r.sc.cuts && !w.cut: // it may be lost
		return false
	case w.dup > 0 || w.dup < r.sc.dup || w.lostOne:
		// Of a Clear that came twice there are two answers, and the second may overtake
		// the first.
		return false
	}
	n, m, from := w.nodes[p.to], p.msg, member(p.from)
	x := n.clears.open[m.Nonce]
	if x == nil || n.sh.Fenced || !n.clears.confirms(m, x) || contains(x.first, from) && m.Prior > x.prior || n.mem.remembers() {
		return false // if it is the last, the node may forget something
	}
	return !slices.ContainsFunc(m.Members, func(other Member) bool {
		return other != n.sh.Self && !contains(x.asked, other) && !contains(x.gone, other)
	})
}

// hasten brings what can do no more later than now.
func (r *runner) hasten(w *world) {
	for i := 0; i < len(w.packets); {
		p := w.packets[i]
		if !r.hastens(w, p) {
			i++
			continue
		}
		w.drop(p)
		r.deliver(w, p)
		r.dropMoot(w)
		i = 0
	}
}

// asksElsewhere tells whether x may go on to a table by which it asks another
// owner.
func (r *runner) asksElsewhere(w *world, x uint8) bool {
	n := w.nodes[x]
	if !w.maySwitch(r.sc, x) {
		return false
	}
	seq := r.sc.seq[x]
	owner := n.slot.Owner()
	return owner != 0 && owner != member(x) && r.reaches(w, x, index(owner)) && r.sc.tabs[seq[n.at+1]].owner != index(owner)
}

// first tells whether a write is the first of its kind that has not begun.
func (r *runner) first(w *world, id uint8) bool {
	for other := uint8(1); other < id; other++ {
		if r.sc.kinds[other-1] == r.sc.kinds[id-1] && w.ops[other].state == unborn {
			return false
		}
	}
	return true
}

// forget takes out of c, which is w's, what makes no difference any longer.
func (r *runner) forget(w *world, c *core) {
	live := uint8(0)
	for i, n := range w.nodes {
		live |= n.values
		for _, l := range c.sides[i].loads {
			live |= 1 << l.w
		}
	}
	for _, p := range w.packets {
		live |= p.values
	}
	asked := uint8(0) // of which before is asked
	for id := range c.ops {
		switch o := &c.ops[id]; {
		case id > len(r.sc.kinds):
		case o.state == unborn || o.state == waiting || o.state == idle:
			live |= 1 << id
		default:
			o.client, o.target, o.known = 0, 0, 0
			if o.partial {
				asked |= 1 << id
			}
		}
	}
	live &^= 1
	for k := range c.know {
		o := &c.know[k]
		o.stale &= live
		o.seen &= live
		for id := range o.before {
			if (live|asked)>>id&1 == 1 {
				o.before[id] &= live
			} else {
				o.before[id] = 0
			}
		}
		for i := range c.sides {
			c.sides[i].get.stale[k] &= live
			c.sides[i].get.older[k] &= live
		}
	}
}

// lentNow tells whether a lease is on its way.
func (w *world) lentNow() bool {
	for _, p := range w.packets {
		if p.kind == anAnswer && p.answer.Lease {
			return true
		}
	}
	return false
}

func (n *node) hasNear() bool { return n.alive && n.mem.has[cache.Near] }

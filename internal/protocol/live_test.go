package protocol

import "testing"

// From every world that is visited there has to be a way back to rest: once nothing
// goes wrong any longer, everything on its way comes, everybody has the last
// table, and what is unanswered is sent again, the slot's owner serves and every call
// is answered. For each world one such way is followed (lead), by the rules of a
// cluster that is well: what is on its way comes before anything falls due, and a
// deadline is the last that does.
//
// Ways run together soon, and a world on a way that has come to rest is known to.
// So this costs about one step a world.

// mostSteps is more than any way to rest takes.
const mostSteps = 1000

// following is a way to rest.
type following struct {
	known *visited // worlds that come to rest
	w     [2]world
	path  []uint64
	round int // of sending again
}

// mostRounds is how often what is unanswered is sent again.
const mostRounds = 8

// settles follows w to its rest, and tells what is wrong there.
func (r *runner) settles(f *following, w *world, h uint64) string {
	f.path, f.round = f.path[:0], 0
	at, i := w, 0
	for range mostSteps {
		if f.known.has(h) {
			return f.rested()
		}
		f.path = append(f.path, h)
		st, ok := r.lead(at, f)
		if !ok {
			if why := r.unsettled(at); why != "" {
				return why
			}
			r.count.settled++
			return f.rested()
		}
		r.applyTo(&f.w[i], at, st)
		at, i = &f.w[i], 1-i
		if at.why != "" {
			return at.why
		}
		h = r.hash(at)
	}
	return restless
}

func (f *following) rested() string {
	for _, h := range f.path {
		f.known.add(h, 0)
	}
	return ""
}

// lead returns the next step on the way to rest, if there is one.
func (r *runner) lead(w *world, f *following) (step, bool) {
	sc := r.sc
	if w.switching != 0 {
		return step{kind: switchTable, x: w.switching - 1}, true
	}
	if len(w.packets) > 0 {
		p := w.packets[0]
		return step{kind: deliver, x: p.to, y: p.from, p: p}, true
	}
	for x := range uint8(4) {
		if n := w.nodes[x]; !n.alive {
			if int(sc.restart) == int(x)+1 && w.crashed && !w.restarted {
				return step{kind: restart, x: x}, true
			}
			continue
		}
		if w.maySwitch(sc, x) {
			return step{kind: switchTable, x: x}, true
		}
		if w.sides[x].barred {
			return step{kind: barredEnds, x: x}, true
		}
		if r.outwaits(w, x) {
			return step{kind: waitEnds, x: x}, true
		}
	}
	for x := range uint8(4) {
		if st, ok := r.leadAt(w, x); ok {
			return st, true
		}
	}
	for x := range uint8(4) {
		n := w.nodes[x]
		if n.alive && int(n.at)+1 < len(sc.seq[x]) {
			if st, ok := w.fate(sc); ok {
				return st, true
			}
		}
	}
	return r.leadTime(w, f)
}

// leadAt is what x does itself.
func (r *runner) leadAt(w *world, x uint8) (step, bool) {
	n, side := w.nodes[x], &w.sides[x]
	if !n.alive {
		return step{}, false
	}
	if n.slot.Waits() {
		return step{kind: proceed, x: x}, true
	}
	for i := range side.loads {
		if side.loads[i].id != 0 {
			return step{kind: loadEnds, x: x, y: uint8(i)}, true
		}
	}
	if side.again == 1 && n.slot.Owner() != 0 && r.reaches(w, x, index(n.slot.Owner())) {
		return step{kind: sendDelete, x: x}, true
	}
	for id := range w.ops {
		if o := &w.ops[id]; o.state == idle && o.client == x && n.slot.Owner() != 0 && r.reaches(w, x, index(n.slot.Owner())) {
			return step{kind: sendOn, x: x, y: uint8(id)}, true
		}
	}
	k := n.slot.keys[ref]
	for h := range uint8(4) {
		if h != x && k != nil && k.waitsFor(member(h)) {
			return step{kind: lentEnds, x: x, y: h}, true
		}
	}
	if k != nil && k.write != nil && k.write.waits(0) {
		return step{kind: revokeAllEnds, x: x}, true
	}
	return step{}, false
}

// fate is the crash or the leave that the next tables come from.
func (w *world) fate(sc *scenario) (step, bool) {
	switch {
	case sc.leaver != 0 && !w.left && w.nodes[sc.leaver-1].alive && w.mayLeave(sc, sc.leaver-1):
		return step{kind: leave, x: sc.leaver - 1}, true
	case sc.cuts && !w.cut:
		return step{kind: cutApart}, true
	case w.cut && !w.healed:
		return step{kind: heal}, true
	case sc.crash != 0 && !w.crashed:
		return step{kind: crash, x: sc.crash - 1}, true
	case sc.crash2 != 0 && !w.crashed2:
		return step{kind: crash, x: sc.crash2 - 1}, true
	}
	return step{}, false
}

// leadTime is what falls due: first what is unanswered is sent again, then
// deadlines are over.
func (r *runner) leadTime(w *world, f *following) (step, bool) {
	for f.round < 4*mostRounds {
		x := uint8(f.round % 4)
		f.round++
		if n := w.nodes[x]; n.alive && (n.slot.Busy() || n.clears.Open() > 0) {
			return step{kind: resend, x: x}, true
		}
	}
	for x := range uint8(4) {
		n := w.nodes[x]
		for id := uint8(1); n.alive && int(id) <= len(r.sc.kinds); id++ {
			if c := writeCall(id); w.ops[id].state == waiting && (n.slot.hasCall(c) || n.clears.hasCall(c)) {
				return step{kind: deadline, x: x, y: id}, true
			}
		}
	}
	return step{}, false
}

// unsettled judges a world in which all has happened that will.
func (r *runner) unsettled(w *world) string {
	for x, n := range w.nodes {
		if !n.alive {
			continue
		}
		s := &w.sides[x]
		if owner := n.slot.Owner(); owner == member(uint8(x)) && (!n.slot.active || len(n.slot.parked) > 0 || n.slot.sync != nil) {
			return stuck
		}
		if s.get.open || s.loads[0].id != 0 || s.loads[1].id != 0 {
			return unheard
		}
	}
	for _, o := range w.ops {
		if o.state == waiting {
			return unheard
		}
		if o.state == idle && w.nodes[o.client].alive {
			if y := w.nodes[o.client].slot.Owner(); y != 0 && w.nodes[index(y)].alive {
				return unheard
			}
		}
	}
	return ""
}

// A way that does not come to rest is told from one that does.
func TestFollowingFindsWhatIsStuck(t *testing.T) {
	sc := scenarioNamed(t, "join, set", rules{})
	r := newRunner(sc)
	w := r.begin()
	f := &following{known: newVisited()}
	if why := r.settles(f, w, r.hash(w)); why != "" {
		t.Fatalf("from the beginning: %s", why)
	}
	// B never answers.
	sc.mute = inB
	f.known = newVisited()
	if why := r.settles(f, w, r.hash(w)); why != stuck {
		t.Errorf("without an answer of B it ends with %q, want %q", why, stuck)
	}
}

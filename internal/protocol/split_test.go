package protocol

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What belongs to splits: two sides that go on without each other, cut apart or
// taken for dead while they live, or begun alone; and to the fence.
//
// Without the fence P1 is promised on each side by itself, and again for both once
// they are one (P3): what a side has overwritten, deleted or cleared does not come
// back, whatever the other had. So there is an oracle for each side; what a member
// tells a caller is known to its side, and to both once it has the last table.
//
// With the fence P1 is promised to all, and a member answers only while enough
// others answer it (standing). Time is the search's here as well: the answers of a
// member count for those whom it has taken out until the search lets them end
// (barredEnds), and who waits for that (Table.Barred, Message.Wait) does so until
// then. Who is cut off has the answers that it had as long as it may.

// oracles are what callers of either side know; there is but the first where
// nothing is split, or the fence is on.
type oracles [2]oracle

// sides returns the oracles that what x tells is known to, as a set.
func (sc *scenario) sides(n *node, x uint8) uint8 {
	switch {
	case sc.split == 0 || sc.fence > 0:
		return 1
	case n.slot.active && sc.healed(n, x):
		return 3
	}
	return sc.sideOf(x)
}

// sideOf returns that of x's side alone.
func (sc *scenario) sideOf(x uint8) uint8 {
	if sc.fence > 0 {
		return 1
	}
	return 1 << (sc.split >> x & 1)
}

// healed tells whether x has the last table, where all are together.
func (sc *scenario) healed(n *node, x uint8) bool { return int(n.at) == len(sc.seq[x])-1 }

// nearSides returns those that what x reads from its near copy is known to: those
// of who lent it. One lent across the sides ends with its lease, and nothing is
// promised of it until then.
func (r *runner) nearSides(w *world, x uint8) uint8 {
	set := w.nodes[x].lentBy
	if set != 3 && set != r.sc.sideOf(x) {
		return 0
	}
	return set
}

func (w *world) begun(id uint8) {
	for k := range w.know {
		w.know[k].begun(id)
	}
}

func (w *world) done(set, id uint8) {
	for k := range w.know {
		if set>>k&1 == 1 {
			w.know[k].done(id)
		}
	}
}

// reaches tells whether what x sends to y arrives.
func (r *runner) reaches(w *world, x, y uint8) bool {
	return w.nodes[y].alive && (!w.cut || w.healed || r.sc.split>>x&1 == r.sc.split>>y&1)
}

// sever ends what is on its way between the sides, and calls that wait there.
func (r *runner) sever(w *world) {
	w.cut = true
	w.packets = slices.DeleteFunc(w.packets, func(p *packet) bool { return !r.reaches(w, p.from, p.to) })
	for id := range w.ops {
		if o := &w.ops[id]; o.state == waiting && !r.reaches(w, o.client, o.target) {
			o.state = failed
		}
	}
	for i, n := range w.nodes {
		x, s := uint8(i), &w.sides[i]
		if s.get.open && !r.reaches(w, x, s.get.target) {
			s.get = reading{}
		}
		if s.again == 2 && !r.reaches(w, x, index(n.slot.Owner())) {
			s.again = 1
		}
		if s.copied == 1 {
			s.copied = 2
		}
	}
}

// announce lets as few know of a version of x as the fence allows, which is one of
// the other two. It has been told beforehand, so it may be cut off from x by now. When
// it takes x out its own clock moves on to that.
func (r *runner) announce(w *world, x uint8, version uint64) {
	y := uint8(2)
	if x == 2 || x == 0 && r.sc.tellsB {
		y = 1
	}
	r.local(w, y, falls, uint32(told)|uint32(version)<<8, func(n *node) { n.clock.told = max(n.clock.told, version) })
}

// standing tells whether x may answer from its memory: with the fence on, whether
// so many members, itself included, answer it, or have answered and that counts.
func (r *runner) standing(w *world, x uint8) bool {
	sc := r.sc
	if sc.fence == 0 || sc.unfenced {
		return true
	}
	count := 0
	for y := range uint8(4) {
		if y == x || w.upholds(sc, y, x) {
			count++
		}
	}
	return count >= sc.fence
}

// upholds tells whether y's answers count for x.
func (w *world) upholds(sc *scenario, y, x uint8) bool {
	n := w.nodes[y]
	if !n.alive || sc.table(w, x).members>>y&1 == 0 {
		return false
	}
	was, out := false, false // in an earlier table of y; taken out since
	for _, i := range sc.seq[y][:n.at+1] {
		in := sc.tabs[i].members>>x&1 == 1
		out = out || was && !in
		was = was || in
	}
	switch {
	case sc.table(w, y).members>>x&1 == 0:
		return out && w.sides[y].barred
	case out: // once x has taken all its slots again
		return sc.healed(w.nodes[x], x)
	}
	return true
}

func (sc *scenario) table(w *world, x uint8) *tab { return &sc.tabs[sc.seq[x][w.nodes[x].at]] }

// takesOut tells whether x's table of that place leaves out somebody of the one
// before without their word.
func (sc *scenario) takesOut(x uint8, at int) bool {
	if at == 0 {
		return false
	}
	out := sc.tabs[sc.seq[x][at-1]].members &^ sc.tabs[sc.seq[x][at]].members
	if sc.leaver != 0 {
		out &^= 1 << (sc.leaver - 1)
	}
	return out != 0
}

// shutsOut tells whether who is taken out so may serve for a while, and is waited for.
func (sc *scenario) shutsOut(x uint8, at int) bool { return sc.fence > 0 && sc.takesOut(x, at) }

// tableOf returns x's table of a place, as it is while somebody whom x has taken
// out may still serve, or after that. Of two points of time the later one is at a
// later place: Lost is just before the place where x last took somebody out, and
// activated just after that where it began to serve.
func (sc *scenario) tableOf(x uint8, at int, barred bool) *Table {
	t := sc.tables[sc.seq[x][at]]
	if sc.fence == 0 {
		return t
	}
	c := *t
	c.Barred, c.Lost = 0, -1
	if barred && !sc.unwaited {
		c.Barred = now + later
	}
	for i := range at + 1 {
		if sc.takesOut(x, i) {
			c.Lost = placeOf(i) - 1
		}
	}
	return &c
}

// reads returns what a read at x finds without asking, as sets: its own share, and
// a near copy.
func (r *runner) reads(w *world, x uint8) (served, near uint8) {
	n := w.nodes[x]
	if n.served|n.near == 0 || !r.standing(w, x) {
		return 0, 0
	}
	return n.served, n.near
}

// outwait lets a clear or a take go on: nobody whom a giver has taken out
// serves any longer.
func (n *node) outwait(out *Out) {
	if t := n.slot.take; t != nil && t.after > now {
		t.after = now
	}
	for _, x := range n.clears.open {
		x.after = min(x.after, now)
	}
	n.slot.Tick(now, out)
	n.clears.Tick(now, out)
}

// waits tells whether a take or a clear does that.
func (n *node) waits() bool {
	waits := n.slot.take != nil && n.slot.take.after > now
	for _, c := range n.clears.open {
		waits = waits || c.after > now
	}
	return waits
}

// outwaits tells whether x waits for that, and has waited long enough: as long as
// every member of its table does that has told it to.
func (r *runner) outwaits(w *world, x uint8) bool {
	if !w.nodes[x].waits() {
		return false
	}
	for y, m := range w.nodes {
		if m.alive && w.sides[y].barred && r.sc.table(w, x).members>>y&1 == 1 {
			return false
		}
	}
	return true
}

func placeOf(at int) time.Duration { return now + time.Duration(2*at) }

// Without the fence, without waiting for those who may still serve, and where nobody is
// told how far those may count, what the fence promises does not hold.
func TestFenceIsNeeded(t *testing.T) {
	if raced {
		t.Skip("one goroutine at a time, and slow")
	}
	for what, leave := range map[string]func(*scenario){
		"the fence": func(sc *scenario) { sc.unfenced = true },
		"waiting":   func(sc *scenario) { sc.unwaited = true },
		"telling":   func(sc *scenario) { sc.untold = true },
	} {
		names := []string{"fence, A suspected, set", "fence, A suspected, set+del, backup", "fence, A cut off, set, backup", "fence, A suspected, clear"}
		if what == "telling" {
			names = []string{"fence, A suspected, set", "fence, A cut off, set", "fence, A suspected, set, B has heard", "fence, A cut off, set, B has heard"}
		}
		for _, name := range names {
			sc := scenarioNamed(t, name, rules{})
			leave(sc)
			if res := search(sc, 1_000_000, 1); !strings.HasPrefix(res.why, staleHit) {
				t.Errorf("without %s, in %q after %d states: %q", what, name, res.states, res.why)
			}
		}
	}
}

package protocol

import "slices"

// rest judges a world in which nothing is on its way any longer and no table
// is to come.
func (r *runner) rest(w *world) string {
	if len(w.packets) > 0 || w.lostOne && r.mayResend(w) {
		return ""
	}
	var owner *node
	for x, n := range w.nodes {
		if !n.alive {
			continue
		}
		if w.maySwitch(r.sc, uint8(x)) || int(r.sc.leaver) == x+1 && w.mayLeave(r.sc, uint8(x)) || w.sides[x].copied == 1 || w.sides[x].barred || n.waits() || n.slot.Waits() {
			return ""
		}
		if int(n.at)+1 < len(r.sc.seq[x]) {
			return "" // until the crash
		}
		if n.slot.Owner() == member(uint8(x)) {
			owner = n
		}
	}
	if owner == nil {
		return ""
	}
	if !owner.slot.active || len(owner.slot.parked) > 0 || owner.slot.sync != nil {
		return stuck
	}
	busy := false
	for x, n := range w.nodes {
		if !n.alive {
			continue
		}
		if n != owner && n.slot.Holds() && !n.slot.backup {
			return r.leftOver(w, uint8(x))
		}
		if n != owner && n.slot.backup && n.slot.term != owner.slot.term {
			return unbacked
		}
		s := &w.sides[x]
		if s.get.open {
			busy = true
			if t := w.nodes[s.get.target]; !t.alive || len(t.slot.keys) == 0 {
				return unheard
			}
		}
		busy = busy || s.loads[0].id != 0 || s.loads[1].id != 0 || s.again != 0 || len(n.clears.open) > 0 || len(n.slot.handed) > 0
	}
	for id := range w.ops {
		o := &w.ops[id]
		switch o.state {
		case waiting:
			busy = true
			t := w.nodes[o.target]
			if c := writeCall(uint8(id)); !t.alive || !t.slot.hasCall(c) && !t.clears.hasCall(c) {
				return unheard
			}
		case idle:
			busy = true
		}
	}
	if busy {
		return ""
	}
	return r.atRest(w, owner)
}

// leftOver judges a world at rest in which x still has a copy that it does not
// serve: it has to be rid of it once it asks the owner.
func (r *runner) leftOver(w *world, x uint8) string {
	if !w.nodes[x].slot.leftover() {
		return kept
	}
	w = r.apply(w, step{kind: resend, x: x})
	for range 20 {
		if len(w.packets) == 0 {
			break
		}
		w = r.apply(w, step{kind: deliver, x: w.packets[0].to, p: w.packets[0]})
	}
	if !w.nodes[x].slot.Holds() {
		return ""
	}
	if r.sc.p2 && w.loses() {
		return lost
	}
	return kept
}

func (r *runner) mayResend(w *world) bool {
	for _, st := range r.next(w) {
		if st.kind == resend {
			return true
		}
	}
	return false
}

// atRest judges a world in which nobody waits for anything.
func (r *runner) atRest(w *world, owner *node) string {
	r.count.quiet++
	if owner.served != 0 {
		r.count.quietHas++
	}
	if r.sc.p2 && w.evict == r.sc.evict && w.loses() {
		return lost
	}
	for id, o := range w.ops {
		if !o.partial {
			continue
		}
		for _, n := range w.nodes {
			for k := range w.know {
				if (n.served|n.near)&w.know[k].before[id] != 0 {
					return undeleted
				}
			}
		}
	}
	return ""
}

// loses tells whether a Set was acknowledged and no owner has it, or a later one.
func (w *world) loses() bool {
	for _, n := range w.nodes {
		if n.served&^(w.know[0].stale|w.know[1].stale) != 0 {
			return false
		}
	}
	return slices.ContainsFunc(w.ops[:], func(o op) bool { return o.state == acked })
}

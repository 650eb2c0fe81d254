package protocol

import (
	"slices"

	"github.com/peercache/peercache/cache"
)

// step is something that may happen next.
type step struct {
	kind stepKind
	x, y uint8
	p    *packet
}

type stepKind uint8

const (
	deliver stepKind = iota
	loseIt
	twice
	readHere
	startGet
	sendGet // and the reader goes on to its next table
	startWrite
	sendNow   // a write, and its client goes on to its next table
	sendAhead // a write, whose client may crash before it is executed
	sendOn    // a write that was not executed is sent again
	sendTwice // a write is sent again though it may have been executed
	sendDelete
	leaseEnds
	lentEnds
	revokeAllEnds
	switchTable
	leave
	crash
	restart
	toldGone
	evictIt
	evictOther
	expireIt
	loadEnds
	deadline
	resend
	proceed // with a take or a sync that was held back
	copyAhead
	cutApart
	heal
	barredEnds // whom x has taken out does not count on its answers any longer
	waitEnds   // nor on those of others for which x has waited
	told       // of versions: no step by itself, but part of others
)

// next lists what may happen in a world. The list is valid until the next call.
func (r *runner) next(w *world) []step {
	r.steps = r.steps[:0]
	if w.switching != 0 {
		r.nextOf(w, w.switching-1)
		return r.steps
	}
	for x := range uint8(4) {
		r.nextOf(w, x)
	}
	if r.sc.cuts && !w.cut {
		r.add(cutApart, 0, 0, nil)
	}
	if w.cut && !w.healed {
		r.add(heal, 0, 0, nil)
	}
	for i, p := range w.packets {
		if i > 0 && p == w.packets[i-1] {
			continue
		}
		r.add(deliver, p.to, p.from, p)
		if p.kind == aMessage {
			if w.lose > 0 {
				r.add(loseIt, p.to, p.from, p)
			}
			if w.dup > 0 {
				r.add(twice, p.to, p.from, p)
			}
		}
	}
	return r.steps
}

func (r *runner) add(kind stepKind, x, y uint8, p *packet) {
	r.steps = append(r.steps, step{kind, x, y, p})
}

// nextOf adds what may happen at x besides what comes.
func (r *runner) nextOf(w *world, x uint8) {
	sc, n, side := r.sc, w.nodes[x], &w.sides[x]
	if !n.alive {
		if int(sc.restart) == int(x)+1 && w.crashed && !w.restarted {
			r.add(restart, x, 0, nil)
		}
		return
	}
	r.nextCalls(w, x)
	if w.maySwitch(sc, x) {
		r.add(switchTable, x, 0, nil)
	}
	if w.switching != 0 {
		return
	}
	if side.again == 1 {
		r.add(sendDelete, x, 0, nil)
	}
	if n.near != 0 && !r.reduces() {
		r.add(leaseEnds, x, 0, nil)
	}
	r.due(w, x)
	if n.slot.Waits() {
		r.add(proceed, x, 0, nil)
	}
	if side.barred {
		r.add(barredEnds, x, 0, nil)
	}
	if r.outwaits(w, x) {
		r.add(waitEnds, x, 0, nil)
	}
	if int(sc.leaver) == int(x)+1 && w.mayLeave(sc, x) {
		r.add(leave, x, 0, nil)
	}
	if r.mayCrash(w, x) {
		r.add(crash, x, 0, nil)
	}
	if sc.gone && w.crashed && side.gone == 0 {
		r.add(toldGone, x, sc.crash-1, nil)
	}
	if w.evict > 0 && n.mem.live(cache.Owned) {
		r.add(evictIt, x, 0, nil)
	}
	if w.floors > 0 && n.slot.Term().held() && n.mem.floor < n.clock.last {
		r.add(evictOther, x, 0, nil)
	}
	if w.expire > 0 && (n.served != 0 && r.unlent(w) || n.slot.backup && n.mem.live(cache.Owned) && !n.mem.entries[cache.Owned].Tombstone) {
		r.add(expireIt, x, 0, nil)
	}
	for i := range side.loads {
		if side.loads[i].id != 0 {
			r.add(loadEnds, x, uint8(i), nil)
		}
	}
	if sc.stage>>x&1 == 1 && side.copied == 0 {
		r.add(copyAhead, x, sc.tabs[0].owner, nil)
	}
}

// nextCalls adds what the application may do at x.
func (r *runner) nextCalls(w *world, x uint8) {
	sc, n := r.sc, w.nodes[x]
	early := r.reduces() && r.asksElsewhere(w, x) // what is sent may be on its way when x has another table
	call := func(kind, now stepKind, id uint8) {
		if w.switching == 0 {
			r.add(kind, x, id, nil)
		}
		if early && (kind == startGet || r.fuses()) {
			r.add(now, x, id, nil)
		}
		if kind != startGet && w.switching == 0 && r.fuses() && r.mayCrash(w, x) {
			r.add(sendAhead, x, id, nil)
		}
	}
	if sc.getWho>>x&1 == 1 {
		served, near := r.reads(w, x)
		if served|near != 0 && !r.reduces() {
			r.add(readHere, x, 0, nil)
		} else if w.gets > 0 && !w.sides[x].get.open && n.served == 0 {
			call(startGet, sendGet, 0)
		}
	}
	for id := uint8(1); int(id) <= len(sc.kinds); id++ {
		o := &w.ops[id]
		switch kind := sc.kinds[id-1]; {
		case kind == 'l':
		case o.state == unborn && sc.who>>x&1 == 1:
			switch {
			case r.reduces() && !r.first(w, id):
			case kind != 'c':
				call(startWrite, sendNow, id)
			case w.switching == 0:
				r.add(startWrite, x, id, nil)
			}
		case o.client != x:
		case o.state == idle:
			call(sendOn, sendNow, id)
		case o.state == waiting && sc.off.once && w.retry > 0 && kind != 'c':
			r.add(sendTwice, x, id, nil)
		}
	}
}

// mayCrash tells whether x may crash yet.
func (r *runner) mayCrash(w *world, x uint8) bool {
	return int(r.sc.crash) == int(x)+1 && !w.crashed || int(r.sc.crash2) == int(x)+1 && !w.crashed2
}

// due adds what may fall due at x.
func (r *runner) due(w *world, x uint8) {
	s := &w.nodes[x].slot
	k := s.keys[ref]
	for h := range uint8(4) {
		if h != x && k != nil && k.waitsFor(member(h)) && (r.reduces() || !w.nodes[h].hasNear()) {
			r.add(lentEnds, x, h, nil)
		}
	}
	if s.active && s.revokeAll > now && (r.reduces() || w.noneLent(s.term)) {
		r.add(revokeAllEnds, x, 0, nil)
	}
	if w.deadlines > 0 {
		for id := uint8(1); int(id) <= len(r.sc.kinds); id++ {
			if w.ops[id].state == waiting && (s.hasCall(writeCall(id)) || w.nodes[x].clears.hasCall(writeCall(id))) {
				r.add(deadline, x, id, nil)
			}
		}
	}
	if k != nil && k.write != nil && slices.ContainsFunc(k.write.wait, func(x waitFor) bool { return x.refused }) && w.calm(x) ||
		s.leftover() && len(w.packets) == 0 && !w.maySwitch(r.sc, x) || w.lostOne && w.calm(x) && (s.take != nil && len(s.take.waiting) > 0 || k != nil && k.write != nil && len(k.write.wait) > 0 || s.sync != nil && len(s.sync.waiting) > 0 || len(s.handed) > 0 || len(w.nodes[x].clears.open) > 0 || s.leftover()) {
		r.add(resend, x, 0, nil)
	}
}

func (k *key) waitsFor(m Member) bool {
	for _, l := range k.leases {
		if l.holder == m {
			return true
		}
	}
	if k.write != nil && !k.write.versioned() {
		for _, x := range k.write.wait {
			if x.member == m {
				return true
			}
		}
	}
	return false
}

func (s *Slot) hasCall(c Call) bool {
	for _, p := range s.parked {
		if p.call() == c {
			return true
		}
	}
	for _, h := range s.handed {
		if h.call == c {
			return true
		}
	}
	k := s.keys[ref]
	if k == nil {
		return false
	}
	return k.write != nil && k.write.call.Call == c || slices.ContainsFunc(k.queue, func(w *write) bool { return w.call.Call == c })
}

func (c *Clears) hasCall(call Call) bool {
	for _, x := range c.open {
		if x.call == call {
			return true
		}
	}
	return false
}

// calm tells whether no message of the state machines is on its way from or
// to x.
func (w *world) calm(x uint8) bool {
	return !slices.ContainsFunc(w.packets, func(p *packet) bool {
		return p.kind == aMessage && (p.from == x || p.to == x)
	})
}

// noneLent tells whether no near copy is left that was lent under another term.
func (w *world) noneLent(term Term) bool {
	for _, n := range w.nodes {
		if n.alive && n.mem.has[cache.Near] && n.lent != term {
			return false
		}
	}
	return true
}

// unlent tells whether there is no near copy, here or on its way. Those that are
// there may end at once.
func (r *runner) unlent(w *world) bool {
	for _, n := range w.nodes {
		if n.hasNear() && !r.reduces() {
			return false
		}
	}
	return !w.lentNow()
}

func (w *world) maySwitch(sc *scenario, x uint8) bool {
	at := int(w.nodes[x].at)
	if at+1 >= len(sc.seq[x]) {
		return false
	}
	why := nothing
	if at < len(sc.need[x]) {
		why = sc.need[x][at]
	}
	switch why {
	case hasCrashed:
		return w.crashed
	case hasCrashed2:
		return w.crashed2
	case bothCrashed:
		return w.crashed && w.crashed2
	case hasRestarted:
		return w.restarted
	case hasLeft:
		return w.left
	case hasCut:
		return w.cut
	case hasHealed:
		return w.healed
	case wasOut:
		for y, n := range w.nodes {
			if y != int(x) && n.alive && n.at == 0 {
				return false
			}
		}
	}
	return true
}

// mayLeave tells whether x, that is leaving, holds nothing any longer.
func (w *world) mayLeave(sc *scenario, x uint8) bool {
	n := w.nodes[x]
	t := sc.tabs[sc.seq[x][n.at]]
	return t.leaving>>x&1 == 1 && !n.slot.Holds()
}

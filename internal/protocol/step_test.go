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
	startWrite
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
)

// next lists what may happen in a world. The list is valid until the next call.
func (r *runner) next(w *world) []step {
	sc := r.sc
	list := r.steps[:0]
	add := func(kind stepKind, x, y uint8, p *packet) { list = append(list, step{kind, x, y, p}) }
	for x := range uint8(4) {
		n := w.nodes[x]
		if !n.alive {
			if int(sc.restart) == int(x)+1 && w.crashed && !w.restarted {
				add(restart, x, 0, nil)
			}
			continue
		}
		_, served := n.readable(cache.Owned)
		_, near := n.readable(cache.Near)
		if sc.getWho>>x&1 == 1 {
			if served || near {
				add(readHere, x, 0, nil)
			} else if w.gets > 0 && !n.get.open {
				add(startGet, x, 0, nil)
			}
		}
		for id := uint8(1); int(id) <= len(sc.kinds); id++ {
			o := &w.ops[id]
			switch {
			case sc.kinds[id-1] == 'l':
			case o.state == unborn && sc.who>>x&1 == 1:
				add(startWrite, x, id, nil)
			case o.client != x:
			case o.state == idle:
				add(sendOn, x, id, nil)
			case o.state == waiting && sc.off.once && w.retry > 0 && sc.kinds[id-1] != 'c':
				add(sendTwice, x, id, nil)
			}
		}
		if n.again == 1 {
			add(sendDelete, x, 0, nil)
		}
		if near {
			add(leaseEnds, x, 0, nil)
		}
		r.due(w, x, add)
		if n.slot.Waits() {
			add(proceed, x, 0, nil)
		}
		if w.maySwitch(sc, x) {
			add(switchTable, x, 0, nil)
		}
		if int(sc.leaver) == int(x)+1 && w.mayLeave(sc, x) {
			add(leave, x, 0, nil)
		}
		if int(sc.crash) == int(x)+1 && !w.crashed || int(sc.crash2) == int(x)+1 && !w.crashed2 {
			add(crash, x, 0, nil)
		}
		if sc.gone && w.crashed && int(n.gone) == 0 {
			add(toldGone, x, sc.crash-1, nil)
		}
		if w.evict > 0 && n.mem.live(cache.Owned) {
			add(evictIt, x, 0, nil)
		}
		if w.floors > 0 && n.slot.Term().held() && n.mem.floor < n.clock.last {
			add(evictOther, x, 0, nil)
		}
		if w.expire > 0 && (served && w.unlent() || n.slot.backup && n.mem.live(cache.Owned) && !n.mem.entries[cache.Owned].Tombstone) {
			add(expireIt, x, 0, nil)
		}
		for i := range n.loads {
			if n.loads[i].id != 0 {
				add(loadEnds, x, uint8(i), nil)
			}
		}
		if sc.stage>>x&1 == 1 && n.copied == 0 {
			add(copyAhead, x, sc.tabs[0].owner, nil)
		}
	}
	for i, p := range w.packets {
		if i > 0 && p.hash == w.packets[i-1].hash {
			continue
		}
		add(deliver, p.to, p.from, p)
		if p.kind == aMessage {
			if w.lose > 0 {
				add(loseIt, p.to, p.from, p)
			}
			if w.dup > 0 {
				add(twice, p.to, p.from, p)
			}
		}
	}
	r.steps = list
	return list
}

// due adds what may fall due at x.
func (r *runner) due(w *world, x uint8, add func(stepKind, uint8, uint8, *packet)) {
	s := &w.nodes[x].slot
	k := s.keys[ref]
	for h := range uint8(4) {
		if h != x && k != nil && k.waitsFor(member(h)) && !w.nodes[h].mem.has[cache.Near] {
			add(lentEnds, x, h, nil)
		}
	}
	if s.active && s.revokeAll > now && w.noneLent(s.term) {
		add(revokeAllEnds, x, 0, nil)
	}
	if w.deadlines > 0 {
		for id := uint8(1); int(id) <= len(r.sc.kinds); id++ {
			if w.ops[id].state == waiting && (s.hasCall(writeCall(id)) || w.nodes[x].clears.hasCall(writeCall(id))) {
				add(deadline, x, id, nil)
			}
		}
	}
	if k != nil && k.write != nil && slices.ContainsFunc(k.write.wait, func(x waitFor) bool { return x.refused }) && w.calm(x) ||
		s.leftover() && len(w.packets) == 0 && !w.maySwitch(r.sc, x) || w.lostOne && w.calm(x) && (s.take != nil && len(s.take.waiting) > 0 || k != nil && k.write != nil && len(k.write.wait) > 0 || s.sync != nil && len(s.sync.waiting) > 0 || len(s.handed) > 0 || len(w.nodes[x].clears.open) > 0 || s.leftover()) {
		add(resend, x, 0, nil)
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

// unlent tells whether there is no near copy, here or on its way.
func (w *world) unlent() bool {
	for _, n := range w.nodes {
		if n.alive && n.mem.has[cache.Near] {
			return false
		}
	}
	return !slices.ContainsFunc(w.packets, func(p *packet) bool { return p.kind == anAnswer && p.answer.Lease })
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
	}
	return true
}

// mayLeave tells whether x, that is leaving, holds nothing any longer.
func (w *world) mayLeave(sc *scenario, x uint8) bool {
	n := w.nodes[x]
	t := sc.tabs[sc.seq[x][n.at]]
	return t.leaving>>x&1 == 1 && !n.slot.Holds()
}

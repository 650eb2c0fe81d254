package protocol

import (
	"slices"

	"github.com/peercache/peercache/cache"
)

// apply makes a step.
func (r *runner) apply(w *world, st step) *world {
	nw := &world{}
	r.applyTo(nw, w, st)
	return nw
}

// applyTo makes a step from w to nw, whose memory it uses again.
func (r *runner) applyTo(nw, w *world, st step) {
	packets := append(nw.packets[:0], w.packets...)
	*nw = *w
	nw.packets = packets
	r.make(nw, st)
	r.finish(nw)
}

func (r *runner) make(w *world, st step) {
	x, y := st.x, st.y
	switch st.kind {
	case deliver:
		w.drop(st.p)
		r.deliver(w, st.p)
	case loseIt:
		w.drop(st.p)
		w.lose--
		w.lostOne = true
	case twice:
		w.dup--
		r.deliver(w, st.p)
	case readHere:
		r.readHere(w, x)
	case startGet:
		if r.reduces() {
			r.endNear(w, x)
		}
		r.startRead(w, x, r.reduces())
	case sendGet:
		w.switching = x + 1
		r.startRead(w, x, false)
	case startWrite:
		w.begun(y)
		if r.sc.kinds[y-1] != 'c' {
			r.sendWrite(w, x, y, r.fuses())
			return
		}
		w.ops[y] = op{state: waiting, client: x, target: x, known: r.sc.sides(w.nodes[x], x)}
		r.local(w, x, clears, uint32(y), func(n *node) { n.clears.Start(writeCall(y), ref.Cache, never, now, &r.out) })
	case sendOn:
		r.sendWrite(w, x, y, r.fuses())
	case sendNow, sendAhead:
		if st.kind == sendNow {
			w.switching = x + 1
		}
		if w.ops[y].state == unborn {
			w.begun(y)
		}
		r.sendWrite(w, x, y, false)
	case sendTwice:
		w.retry--
		r.sendWrite(w, x, y, false)
	case sendDelete:
		r.sendAgain(w, x)
	case switchTable:
		w.switching = 0
		r.switchTable(w, x)
	case cutApart:
		r.sever(w)
	case heal:
		w.healed = true
	case barredEnds:
		w.sides[x].barred = false
		r.local(w, x, falls, uint32(barredEnds), func(n *node) {
			n.slot.table = r.sc.tableOf(x, int(n.at), false)
			n.clears.table = n.slot.table
		})
	case waitEnds:
		r.local(w, x, falls, uint32(waitEnds), func(n *node) { n.outwait(&r.out) })
	case leave:
		w.left = true
		r.kill(w, x)
	case crash:
		if int(r.sc.crash2) == int(x)+1 {
			w.crashed2 = true
		} else {
			w.crashed = true
		}
		r.kill(w, x)
	case restart:
		w.restarted = true
		w.nodes[x] = r.settle(newNode(member(x), r.sc.limits(), r.sc.sweeps))
		r.local(w, x, atOnce, 0, r.firstTable(x))
	case toldGone:
		w.sides[x].gone |= 1 << y
		r.local(w, x, falls, uint32(toldGone)|uint32(y)<<8, func(n *node) {
			n.slot.Gone(member(y), now, &r.out)
			n.clears.Gone(member(y), &r.out)
		})
	case evictIt:
		w.evict--
		r.local(w, x, falls, uint32(evictIt), func(n *node) { n.mem.evict() })
	case evictOther:
		w.floors--
		r.local(w, x, falls, uint32(evictOther), func(n *node) { n.mem.RaiseFloor(0, n.clock.last) })
	case expireIt:
		w.expire--
		for h := range uint8(4) {
			r.endNear(w, h)
		}
		r.local(w, x, falls, uint32(expireIt), func(n *node) { n.mem.Drop(ref, cache.OwnedOnly) })
	case loadEnds:
		r.endLoad(w, x, int(y))
	case copyAhead:
		w.sides[x].copied = 1
		r.send(w, packet{from: x, to: y, kind: aCopy})
	default:
		r.fallDue(w, st)
	}
}

// switchTable gives a node its next table. Where it has been taken out, or has
// taken others out, and all are together again, it takes all slots anew and has no
// near copy, as the node around the protocol sees to.
func (r *runner) switchTable(w *world, x uint8) {
	sc := r.sc
	next := int(w.nodes[x].at) + 1
	barred := w.sides[x].barred || sc.shutsOut(x, next)
	w.sides[x].barred = barred
	arg := uint32(switchTable)
	if barred {
		arg |= 1 << 8
	}
	r.local(w, x, falls, arg, func(n *node) {
		n.at++
		if sc.takesOut(x, next) && !sc.forgets {
			n.mem.miss()
		}
		if sc.shutsOut(x, next) && !sc.untold {
			n.clock.Observe(n.clock.told)
		}
		t := sc.tableOf(x, next, barred)
		strange := sc.strange>>x&1 == 1 && sc.healed(n, x)
		if strange && sc.split != 0 {
			n.mem.Drop(ref, cache.NearOnly)
		}
		n.slot.Switch(t, strange, now, &r.out)
		n.clears.Switch(t, &r.out)
	})
}

// firstTable gives a node the first of its tables.
func (r *runner) firstTable(x uint8) func(n *node) {
	return func(n *node) {
		t := r.sc.tableOf(x, 0, false)
		n.slot.Switch(t, false, now, &r.out)
		n.clears.Switch(t, &r.out)
	}
}

func (w *world) drop(p *packet) {
	i := slices.Index(w.packets, p)
	w.packets = slices.Delete(w.packets, i, i+1)
}

// readHere reads what x has.
func (r *runner) readHere(w *world, x uint8) {
	served, near := r.reads(w, x)
	for k := range w.know {
		set := uint8(0)
		if r.sc.sides(w.nodes[x], x)>>k&1 == 1 {
			set |= served
		}
		if near != 0 && r.nearSides(w, x)>>k&1 == 1 {
			set |= near
		}
		for v := range uint8(8) {
			if o := &w.know[k]; set>>v&1 == 1 {
				o.read(v, o.stale, o.seen)
			}
		}
	}
}

// endNear ends x's near copy.
func (r *runner) endNear(w *world, x uint8) {
	if n := w.nodes[x]; n.alive && n.mem.has[cache.Near] {
		r.local(w, x, falls, uint32(leaseEnds), func(n *node) {
			n.mem.Drop(ref, cache.NearOnly)
			n.lent, n.lentBy = Term{}, 0
		})
	}
}

// fallDue makes a point of time come.
func (r *runner) fallDue(w *world, st step) {
	switch st.kind {
	case leaseEnds:
		r.endNear(w, st.x)
		return
	case lentEnds:
		// The holder's lease is over already. So is every one on its way.
		r.endNear(w, st.y)
		r.endOnTheWay(w, st.y, func(*packet) bool { return true })
	case revokeAllEnds:
		term := w.nodes[st.x].slot.term
		for h := range uint8(4) {
			if w.nodes[h].alive && w.nodes[h].lent != term {
				r.endNear(w, h)
			}
			r.endOnTheWay(w, h, func(p *packet) bool { return p.lent != term })
		}
	case deadline:
		w.deadlines--
	}
	r.local(w, st.x, falls, uint32(st.kind)|uint32(st.y)<<8, func(n *node) { r.due1(n, st) })
}

// due1 is what falls due, at the node.
func (r *runner) due1(n *node, st step) {
	s := &n.slot
	k := s.keys[ref]
	switch st.kind {
	case lentEnds:
		for i := range k.leases {
			if k.leases[i].holder == member(st.y) {
				k.leases[i].until, s.nextPrune = now, now
			}
		}
		if k.write != nil && !k.write.versioned() {
			for i := range k.write.wait {
				if k.write.wait[i].member == member(st.y) {
					k.write.wait[i].until = now
				}
			}
		}
	case revokeAllEnds:
		s.revokeAll = now
		if k == nil || k.write == nil || !k.write.waits(0) {
			return
		}
		for i := range k.write.wait {
			if k.write.wait[i].member == 0 {
				k.write.wait[i].until = now
			}
		}
	case deadline:
		s.setDeadline(writeCall(st.y))
		for _, x := range n.clears.open {
			if x.call == writeCall(st.y) {
				x.deadline = now
			}
		}
	case resend:
		if s.take != nil {
			s.take.resend.at = now
		}
		if k != nil && k.write != nil {
			k.write.resend.at = now
		}
		s.asking.at = now
		if s.sync != nil {
			s.sync.resend.at = now
		}
		for _, x := range n.clears.open {
			x.resend.at = now
		}
	case proceed:
		s.Proceed(now, &r.out)
	}
	s.Tick(now, &r.out)
	n.clears.Tick(now, &r.out)
}

func (s *Slot) setDeadline(c Call) {
	for _, p := range s.parked {
		if p.write != nil && p.write.Call == c {
			p.write.Deadline = now
		}
	}
	for i := range s.handed {
		if s.handed[i].call == c {
			s.handed[i].deadline = now
		}
	}
	if k := s.keys[ref]; k != nil {
		if k.write != nil && k.write.call.Call == c {
			k.write.call.Deadline = now
		}
		for _, w := range k.queue {
			if w.call.Call == c {
				w.call.Deadline = now
			}
		}
	}
}

// endOnTheWay makes leases that are on their way to h too late to be kept.
func (r *runner) endOnTheWay(w *world, h uint8, which func(*packet) bool) {
	for i := 0; i < len(w.packets); {
		p := w.packets[i]
		if p.to != h || p.kind != anAnswer || !p.answer.Lease || !which(p) {
			i++
			continue
		}
		a := *p.answer
		a.Lease = false
		w.packets = slices.Delete(w.packets, i, i+1)
		if r.reduces() && r.hearsAtOnce(w, h, &a) {
			r.hear(w, h, p.from, &a, p.known, r.packet(packet{from: p.from, to: p.to, kind: anAnswer, answer: &a, known: p.known}))
			i = 0
			continue
		}
		r.send(w, packet{from: p.from, to: p.to, kind: anAnswer, answer: &a, known: p.known})
	}
}

// kill ends a member's process and what was asked of it.
func (r *runner) kill(w *world, x uint8) {
	w.nodes[x] = nobody
	w.sides[x] = side{}
	for id := range w.ops {
		o := &w.ops[id]
		if (o.state == waiting || o.state == idle) && (o.client == x || o.target == x && o.state == waiting && !w.onTheWay(x, writeCall(uint8(id)))) {
			o.state = failed
		}
	}
	for i, n := range w.nodes {
		y, s := uint8(i), &w.sides[i]
		if !n.alive {
			continue
		}
		if s.get.open && s.get.target == x && !w.onTheWay(x, w.getCall(y)) {
			s.get = reading{}
		}
		if s.again == 2 && index(n.slot.Owner()) == x && !w.onTheWay(x, callAgain|Call(y)) {
			s.again = 1
		}
		if s.copied == 1 {
			s.copied = 2
		}
	}
}

// deliver brings a packet to where it goes.
func (r *runner) deliver(w *world, p *packet) {
	x, from := p.to, member(p.from)
	switch p.kind {
	case aGet:
		r.serveGet(w, x, *p.get)
		return
	case aWrite:
		r.serveWrite(w, x, p.w, writeCall(p.w))
		return
	case anAgain:
		r.serveWrite(w, x, 0, callAgain|Call(p.from))
		return
	case anAnswer:
		r.hear(w, x, p.from, p.answer, p.known, p)
		return
	case aCopied:
		w.sides[x].copied = 2
	}
	r.local(w, x, comes, p.id, func(n *node) {
		switch p.kind {
		case aMessage:
			m := *p.msg
			if m.Kind == Clear || m.Kind == Cleared || m.Kind == Forget {
				n.clears.Handle(from, &m, now, &r.out)
			} else {
				n.slot.Handle(from, &m, now, &r.out)
			}
		case aCopy:
			var items []Item
			if n.slot.AddStager(from) {
				items = n.slot.Content(now)
			}
			r.extra = append(r.extra, packet{from: x, to: p.from, kind: aCopied, items: items})
		case aCopied:
			n.slot.Staged(p.items, now)
		case aFetch:
			items := n.slot.Content(now)
			reply := packet{from: x, to: p.from, kind: aFetched, nonce: p.nonce, all: p.all, items: items, floor: n.mem.floor}
			for _, have := range p.items {
				if p.all {
					break
				}
				if len(items) > 0 && items[0].Version == have.Version && items[0].Tombstone == have.Tombstone {
					reply.items = nil
				} else {
					reply.drop = true
				}
			}
			r.extra = append(r.extra, reply)
		case aFetched:
			var gone []cache.Ref
			if p.drop {
				gone = []cache.Ref{ref}
			}
			n.slot.Fetched(Fetch{From: from, Nonce: p.nonce, All: p.all}, &Piece{
				Items: p.items, Gone: gone, Floor: p.floor, Last: true,
			}, now, &r.out)
		}
	})
}

func (w *write) waits(m Member) bool {
	return slices.ContainsFunc(w.wait, func(x waitFor) bool { return x.member == m })
}

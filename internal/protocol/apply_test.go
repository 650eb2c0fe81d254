package protocol

import (
	"slices"

	"github.com/peercache/peercache/cache"
)

// apply makes a step.
func (r *runner) apply(w *world, st step) *world {
	nw := *w
	nw.packets = append(make([]*packet, 0, len(w.packets)+4), w.packets...)
	r.out.Reset()
	r.make(&nw, st)
	r.finish(&nw)
	return &nw
}

func (r *runner) make(w *world, st step) {
	x, y := st.x, st.y
	switch st.kind {
	case deliver:
		i := slices.Index(w.packets, st.p)
		w.packets = slices.Delete(w.packets, i, i+1)
		r.deliver(w, st.p)
	case loseIt:
		i := slices.Index(w.packets, st.p)
		w.packets = slices.Delete(w.packets, i, i+1)
		w.lose--
		w.lostOne = true
	case twice:
		w.dup--
		r.deliver(w, st.p)
	case readHere:
		for kind := range uint8(2) {
			if v, ok := w.nodes[x].readable(kindOf(kind)); ok {
				w.read(v, w.stale, w.seen)
			}
		}
	case startGet:
		r.startRead(w, x)
	case startWrite:
		w.begun(y)
		if r.sc.kinds[y-1] != 'c' {
			r.sendWrite(w, x, y)
			return
		}
		w.ops[y] = op{state: waiting, client: x, target: x}
		w.mut(x).clears.Start(writeCall(y), ref.Cache, never, now, &r.out)
		r.act(w, x)
	case sendOn:
		r.sendWrite(w, x, y)
	case sendTwice:
		w.retry--
		r.sendWrite(w, x, y)
	case sendDelete:
		r.sendAgain(w, x)
	case switchTable:
		n := w.mut(x)
		n.at++
		t := r.sc.tables[r.sc.seq[x][n.at]]
		n.slot.Switch(t, r.sc.strange>>x&1 == 1 && int(n.at) == len(r.sc.seq[x])-1, now, &r.out)
		n.clears.Switch(t, &r.out)
		r.act(w, x)
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
		n := newNode(member(x), r.sc.limits(), r.sc.sweeps)
		n.dirty = true
		w.nodes[x] = n
		t := r.sc.tables[r.sc.seq[x][0]]
		n.slot.Switch(t, false, now, &r.out)
		n.clears.Switch(t, &r.out)
		r.act(w, x)
	case toldGone:
		n := w.mut(x)
		n.gone |= 1 << y
		n.slot.Gone(member(y), now, &r.out)
		n.clears.Gone(member(y), &r.out)
		r.act(w, x)
	case evictIt:
		w.evict--
		w.mut(x).mem.evict()
	case evictOther:
		w.floors--
		n := w.mut(x)
		n.mem.RaiseFloor(0, n.clock.last)
	case expireIt:
		w.expire--
		w.mut(x).mem.Drop(ref, cache.OwnedOnly)
	case loadEnds:
		r.endLoad(w, x, int(y))
	case copyAhead:
		w.mut(x).copied = 1
		r.send(w, packet{from: x, to: y, kind: aCopy})
	default:
		r.fallDue(w, st)
	}
}

// fallDue makes a point of time come.
func (r *runner) fallDue(w *world, st step) {
	n := w.mut(st.x)
	s := &n.slot
	k := s.keys[ref]
	switch st.kind {
	case leaseEnds:
		n.mem.Drop(ref, cache.NearOnly)
		n.lent = Term{}
		return
	case lentEnds:
		// The holder's lease is over already. So is every one on its way.
		r.endOnTheWay(w, st.y, func(*packet) bool { return true })
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
		for h := range uint8(4) {
			r.endOnTheWay(w, h, func(p *packet) bool { return p.lent != s.term })
		}
		return
	case deadline:
		w.deadlines--
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
	r.act(w, st.x)
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
	for i, p := range w.packets {
		if p.to == h && p.kind == anAnswer && p.answer.Lease && which(p) {
			a := *p.answer
			a.Lease = false
			w.packets = slices.Delete(w.packets, i, i+1)
			r.send(w, packet{from: p.from, to: p.to, kind: anAnswer, answer: &a})
			r.endOnTheWay(w, h, which)
			return
		}
	}
}

// kill ends a member's process and what was asked of it.
func (r *runner) kill(w *world, x uint8) {
	w.nodes[x] = nobody
	onTheWay := func(c Call) bool {
		return slices.ContainsFunc(w.packets, func(p *packet) bool {
			return p.kind == anAnswer && p.from == x && p.answer.Call == c
		})
	}
	for id := range w.ops {
		o := &w.ops[id]
		if (o.state == waiting || o.state == idle) && (o.client == x || o.target == x && o.state == waiting && !onTheWay(writeCall(uint8(id)))) {
			o.state = failed
		}
	}
	for y, n := range w.nodes {
		if n.alive && n.get.open && n.get.target == x && !onTheWay(n.get.call) {
			w.mut(uint8(y)).get = reading{}
		}
		if n.alive && n.again == 2 && index(n.slot.Owner()) == x && !onTheWay(callAgain|Call(y)) {
			w.mut(uint8(y)).again = 1
		}
		if n.alive && n.copied == 1 {
			w.mut(uint8(y)).copied = 2
		}
	}
}

// deliver brings a packet to where it goes.
func (r *runner) deliver(w *world, p *packet) {
	x, from := p.to, member(p.from)
	n := w.mut(x)
	switch p.kind {
	case aMessage:
		m := *p.msg
		active := n.slot.active
		if m.Kind == Clear || m.Kind == Cleared {
			n.clears.Handle(from, &m, now, &r.out)
		} else {
			n.slot.Handle(from, &m, now, &r.out)
		}
		if !active && n.slot.active {
			r.count.takes++
		}
	case aGet:
		n.slot.Get(*p.get, now, &r.out)
	case aWrite:
		r.serveWrite(w, x, p.w, writeCall(p.w))
		return
	case anAgain:
		r.serveWrite(w, x, 0, callAgain|Call(p.from))
		return
	case anAnswer:
		r.hear(w, x, p.from, p.answer, p.lent)
		return
	case aCopy:
		var items []Item
		if n.slot.AddStager(from) {
			items = n.slot.Content(now)
		}
		r.send(w, packet{from: x, to: p.from, kind: aCopied, items: items})
	case aCopied:
		n.copied = 2
		n.slot.Staged(p.items, now)
	case aFetch:
		items := n.slot.Content(now)
		reply := packet{from: x, to: p.from, kind: aFetched, nonce: p.nonce, all: p.all, items: items}
		for _, have := range p.items {
			if p.all {
				break
			}
			if len(items) > 0 && items[0].Version == have.Version {
				reply.items = nil
			} else {
				reply.drop = true
			}
		}
		r.send(w, reply)
	case aFetched:
		var gone []cache.Ref
		if p.drop {
			gone = []cache.Ref{ref}
		}
		n.slot.Fetched(Fetch{From: from, Nonce: p.nonce, All: p.all}, p.items, gone, true, now, &r.out)
	}
	r.act(w, x)
}

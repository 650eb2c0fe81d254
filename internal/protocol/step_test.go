package protocol

import (
	"fmt"
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
	expireIt
	loadEnds
	deadline
	resend
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
		if w.maySwitch(sc, x) {
			add(switchTable, x, 0, nil)
		}
		if int(sc.leaver) == int(x)+1 && w.mayLeave(sc, x) {
			add(leave, x, 0, nil)
		}
		if int(sc.crash) == int(x)+1 && !w.crashed {
			add(crash, x, 0, nil)
		}
		if sc.gone && w.crashed && int(n.gone) == 0 {
			add(toldGone, x, sc.crash-1, nil)
		}
		if w.evict > 0 && n.mem.live(cache.Owned) {
			add(evictIt, x, 0, nil)
		}
		if w.expire > 0 && served && w.unlent() {
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
	if s.leftover() && len(w.packets) == 0 && !w.maySwitch(r.sc, x) || w.lostOne && w.calm(x) && (s.take != nil && len(s.take.waiting) > 0 || k != nil && k.write != nil && len(k.write.wait) > 0 || len(w.nodes[x].clears.open) > 0 || s.leftover()) {
		add(resend, x, 0, nil)
	}
}

func (k *key) waitsFor(m Member) bool {
	for _, l := range k.leases {
		if l.holder == m {
			return true
		}
	}
	if k.write != nil {
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
		w.crashed = true
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
		if k.write != nil {
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
			s.take.resend = now
		}
		if k != nil && k.write != nil {
			k.write.resend = now
		}
		s.nextAsk = now
		for _, x := range n.clears.open {
			x.resend = now
		}
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

// name says what a step is, for people and for recorded traces.
func (r *runner) name(w *world, st step) string {
	x, y := letter(st.x), letter(st.y)
	switch st.kind {
	case deliver:
		return x + " <- " + r.packetName(st.p)
	case loseIt:
		return "lost: " + x + " <- " + r.packetName(st.p)
	case twice:
		return "first of two: " + x + " <- " + r.packetName(st.p)
	case readHere:
		return x + ": reads what it has"
	case startGet:
		return x + ": starts a read"
	case startWrite:
		return fmt.Sprintf("%s: starts %s %d", x, kindWord(r.sc.kinds[st.y-1]), st.y)
	case sendOn:
		return fmt.Sprintf("%s: sends %d on", x, st.y)
	case sendTwice:
		return fmt.Sprintf("%s: sends %d again", x, st.y)
	case sendDelete:
		return x + ": sends its unfinished deletion"
	case leaseEnds:
		return x + ": its near copy ends"
	case lentEnds:
		return x + ": what it lent to " + y + " ends"
	case revokeAllEnds:
		return x + ": the last owner's leases end"
	case switchTable:
		at := r.sc.seq[st.x][w.nodes[st.x].at+1]
		return fmt.Sprintf("%s: switches to table %d (%s, owner %s)", x, at, letters(r.sc.tabs[at].members), letter(r.sc.tabs[at].owner))
	case leave:
		return x + ": leaves"
	case crash:
		return x + ": crashes"
	case restart:
		return x + ": starts"
	case toldGone:
		return x + ": hears that " + y + "'s process is gone"
	case evictIt:
		return x + ": evicts what it has"
	case expireIt:
		return x + ": what it has expires"
	case loadEnds:
		return fmt.Sprintf("%s: load %d ends", x, w.nodes[st.x].loads[st.y].w)
	case deadline:
		return fmt.Sprintf("%s: the deadline of %d passes", x, st.y)
	case resend:
		return x + ": sends again what is unanswered"
	case copyAhead:
		return x + ": copies ahead from " + y
	}
	return "?"
}

func kindWord(k byte) string {
	return map[byte]string{'s': "set", 'd': "delete", 'c': "clear", 'l': "load"}[k]
}

func (r *runner) packetName(p *packet) string {
	from := letter(p.from)
	switch p.kind {
	case aMessage:
		s := p.msg.Kind.String() + " " + fmt.Sprint(p.msg.Nonce) + " from " + from
		if len(p.msg.Content) == 1 {
			s += " with " + itemName(p.msg.Content)
		}
		if p.msg.Kind == Clear || p.msg.Kind == Cleared {
			s += fmt.Sprintf(" generation %d/%d", p.msg.Generation.Count, p.msg.Generation.Raiser)
		}
		return s
	case aGet:
		return "read by " + from
	case aWrite:
		return fmt.Sprintf("write %d by %s", p.w, from)
	case anAgain:
		return "deletion again by " + from
	case anAnswer:
		s := fmt.Sprintf("answer %x from %s: %s", uint64(p.answer.Call), from, p.answer.Status)
		if p.answer.Status == Found {
			s += fmt.Sprintf(" %d", p.answer.Value[0])
		}
		if p.answer.Lease {
			s += ", lent"
		}
		return s
	case aCopy:
		return "copy for " + from
	case aCopied:
		return "copied by " + from + " " + itemName(p.items)
	case aFetch:
		return "fetch for " + from
	case aFetched:
		return "fetched from " + from + " " + itemName(p.items)
	}
	return "?"
}

func itemName(items []Item) string {
	if len(items) == 0 {
		return "nothing"
	}
	if items[0].Tombstone {
		return fmt.Sprintf("tombstone v%d", items[0].Version)
	}
	return fmt.Sprintf("%d v%d", items[0].Value[0], items[0].Version)
}

package protocol

import "slices"

// world is a state of the search: the nodes, what is on its way between them,
// and what callers know. Nodes and packets are those of a store, and never
// changed; a step makes another world.
type world struct {
	core
	nodes   [4]*node
	packets []*packet // sorted by hash
	why     string    // what is wrong
}

// core is what a world has besides nodes and packets. There is no pointer in it.
type core struct {
	know  oracles
	ops   [5]op
	sides [4]side

	gets, evict, floors, expire, retry, deadlines, lose, dup uint8 // left to be used

	crashed, crashed2, restarted, left, lostOne bool
	cut, healed                                 bool
	switching                                   uint8 // member+1 that has to switch next
}

// side is what the node around the protocol knows, at one member.
type side struct {
	gone   uint8   // members that it has been told are gone
	copied uint8   // copying ahead: 0 not begun, 1 asked, 2 over
	again  uint8   // a deletion to be sent again: 1 idle, 2 sent
	barred bool    // whom it has taken out may still count on its answers
	get    reading // the application's read under way
	loads  [2]loading
}

// reading is a read that asks the owner.
type reading struct {
	open         bool
	fresh        bool // nothing was revoked since, and no table came
	target       uint8
	healed       bool     // it began after the sides were one again
	stale, older [2]uint8 // the oracles' sets when it began
}

// loading is a loader that runs.
type loading struct {
	id uint32 // 0: none
	w  uint8  // the value that it has read; 0: it will fail
}

// packet is something on its way. It is never changed.
type packet struct {
	from, to uint8
	kind     packetKind
	msg      *Message // between state machines
	get      *Get
	w        uint8 // the write that is asked for
	answer   *Answer
	lent     Term  // the owner's term, where the answer is a lease
	known    uint8 // to whom the answer is known (split_test.go)
	items    []Item
	drop     bool   // fetched: what is staged is not at the giver
	nonce    uint64 // of the fetch
	all      bool
	floor    uint64 // fetched: of the giver

	id     uint32 // in its store
	hash   uint64
	values uint8 // that it has, or asks for
}

type packetKind uint8

const (
	aMessage packetKind = iota
	aGet
	aWrite
	anAgain
	anAnswer
	aCopy   // asks for a copy ahead
	aCopied // and brings it
	aFetch  // asks for what a grant did not carry
	aFetched
)

// counts tell that a search was not in vain.
type counts struct {
	hits      int // reads that found something
	old       int // of them, what was no longer the owner's value
	discarded int // fills that were not kept though lent
	takes     int // slots that became active
	quiet     int // worlds where nothing is left to do
	quietHas  int // of them, where the owner has a value
	settled   int // worlds that were followed to their rest
}

func (c *counts) add(x *counts) {
	c.hits += x.hits
	c.old += x.old
	c.discarded += x.discarded
	c.takes += x.takes
	c.quiet += x.quiet
	c.quietHas += x.quietHas
	c.settled += x.settled
}

// finish brings a world that a step has made into its form.
func (r *runner) finish(w *world) {
	r.dropMoot(w)
	if r.reduces() && !r.sc.slow {
		r.hasten(w)
	}
	kept := w.packets
	for i := 1; i < len(kept); i++ { // few, and nearly sorted
		for j := i; j > 0 && kept[j].hash < kept[j-1].hash; j-- {
			kept[j], kept[j-1] = kept[j-1], kept[j]
		}
	}
	if r.reduces() {
		r.readAll(w)
	}
	r.check(w)
}

func (r *runner) dropMoot(w *world) {
	kept := w.packets[:0]
	for _, p := range w.packets {
		if !r.moot(w, p) {
			kept = append(kept, p)
		}
	}
	w.packets = kept
}

// hash stands for the whole world.
func (r *runner) hash(w *world) uint64 {
	e := &r.enc
	e.b = e.b[:0]
	for _, n := range w.nodes {
		e.u64(n.hash)
	}
	for _, p := range w.packets {
		e.u64(p.hash)
	}
	c := w.core
	if r.reduces() {
		r.forget(w, &c)
	}
	e.b = append(e.b, c.gets, c.evict, c.floors, c.expire, c.retry, c.deadlines, c.lose, c.dup, c.switching)
	for k := range c.know {
		e.b = append(e.b, c.know[k].stale, c.know[k].seen)
		e.b = append(e.b, c.know[k].before[:]...)
	}
	for i := range c.ops {
		o := &c.ops[i]
		e.b = append(e.b, uint8(o.state)|o.client<<3|o.target<<5)
		e.bit(o.partial)
		e.u8(o.known)
	}
	for i := range c.sides {
		s := &c.sides[i]
		e.b = append(e.b, s.gone, s.copied, s.again)
		e.bit(s.barred)
		e.bit(s.get.open)
		if s.get.open {
			e.bit(s.get.fresh)
			e.bit(s.get.healed)
			e.b = append(e.b, s.get.target, s.get.stale[0], s.get.older[0], s.get.stale[1], s.get.older[1])
		}
		for _, l := range s.loads {
			e.num(uint64(l.id))
			e.u8(l.w)
		}
	}
	e.bit(c.crashed)
	e.bit(c.crashed2)
	e.bit(c.restarted)
	e.bit(c.left)
	e.bit(c.lostOne)
	e.bit(c.cut)
	e.bit(c.healed)
	return max(e.sum(), 1)
}

// send puts something on its way, unless nobody is there.
func (r *runner) send(w *world, p packet) {
	if r.reaches(w, p.from, p.to) {
		w.packets = append(w.packets, r.packet(p))
	}
}

// moot tells whether a packet can have no effect any longer.
func (r *runner) moot(w *world, p *packet) bool {
	n := w.nodes[p.to]
	if !n.alive {
		return true
	}
	switch p.kind {
	case aMessage:
		switch m := p.msg; m.Kind {
		case Grant:
			t := n.slot.take
			return t == nil || t.nonce != m.Nonce || !contains(t.waiting, member(p.from))
		case Revoked:
			k := n.slot.keys[ref]
			return k == nil || k.write == nil || k.write.id != m.Nonce || k.write.versioned()
		case Replicated:
			k := n.slot.keys[ref]
			return k == nil || k.write == nil || k.write.number != m.Nonce || !k.write.versioned()
		case Synced:
			return n.slot.sync == nil || n.slot.sync.nonce != m.Nonce
		case Sync:
			return !r.sc.off.backupFence && !r.toCome(n, p.to, m.Digest, 0)
		case Cleared:
			return n.clears.open[m.Nonce] == nil
		case Forget:
			return !n.gen.forgets(m.Generation)
		case Take:
			return !r.sc.off.digest && !r.toCome(n, p.to, m.Digest, 0)
		case Done:
			holds := n.slot.Holds() && r.toCome(n, p.to, m.Digest, 0) || r.toCome(n, p.to, m.Digest, 1)
			return n.slot.known >= m.Term.Count && !holds && len(n.slot.handed) == 0
		}
	case anAnswer:
		switch call := p.answer.Call; call &^ 0xff {
		case callWrite:
			s := w.ops[call&0xff].state
			return s != waiting && s != idle
		case callGet:
			return !w.sides[p.to].get.open || call != w.getCall(p.to)
		}
	case aFetch:
		return !w.nodes[p.from].slot.fetches(p.nonce)
	case aFetched:
		return !n.slot.fetches(p.nonce)
	}
	return false
}

// toCome tells whether x has a table of that digest now, or may have it later;
// with skip, only later.
func (r *runner) toCome(n *node, x uint8, digest uint64, skip int) bool {
	for _, i := range r.sc.seq[x][int(n.at)+skip:] {
		if r.sc.tables[i].Digest == digest {
			return true
		}
	}
	return false
}

// check looks whether a read that begins now and needs to ask nobody would be
// wrong.
func (r *runner) check(w *world) {
	if w.why != "" {
		return
	}
	for i, n := range w.nodes {
		x := uint8(i)
		if n.wrong != "" {
			w.why = n.wrong
		}
		served, near := r.reads(w, x)
		for k := range w.know {
			stale := w.know[k].stale
			if w.know[k].wrong || served&stale != 0 && r.sc.sides(n, x)>>k&1 == 1 || near&stale != 0 && r.nearSides(w, x)>>k&1 == 1 {
				w.why = staleHit
			}
		}
	}
}

// miscounts tells what a slot has counted wrong.
func (s *Slot) miscounts() string {
	writing, leases, replicating := 0, 0, 0
	for _, k := range s.keys {
		if k.write != nil {
			writing++
			if k.write.versioned() {
				replicating++
			}
		}
		leases += len(k.leases)
		if k.write == nil && len(k.queue) > 0 {
			return "a write waits for none"
		}
	}
	switch {
	case writing != s.writing:
		return "the writes under way are miscounted"
	case replicating != s.replicating:
		return "the replications under way are miscounted"
	case s.drained && s.replicating == 0:
		return "what waits for replications is forgotten"
	case leases != s.leases:
		return "the leases are miscounted"
	}
	return ""
}

// fetches tells whether the slot still waits for what it fetches under nonce.
func (s *Slot) fetches(nonce uint64) bool {
	return s.take != nil && s.take.nonce == nonce || s.filling != nil && s.filling.Nonce == nonce
}

// onTheWay tells whether an answer of x to a call is on its way.
func (w *world) onTheWay(x uint8, c Call) bool {
	return slices.ContainsFunc(w.packets, func(p *packet) bool {
		return p.kind == anAnswer && p.from == x && p.answer.Call == c
	})
}

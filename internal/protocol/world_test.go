package protocol

import "slices"

// world is a state of the search: the nodes, what is on its way between them,
// and what callers know. A world is never changed; a step makes another, which
// shares what the step did not touch.
type world struct {
	oracle
	nodes   [4]*node
	packets []*packet // sorted by hash
	ops     [8]op

	gets, evict, floors, expire, retry, deadlines, lose, dup uint8 // left to be used

	crashed, crashed2, restarted, left, lostOne bool
}

// nobody is where no member is, yet or any longer.
var nobody = &node{hash: 1}

// packet is something on its way. It is never changed.
type packet struct {
	from, to uint8
	kind     packetKind
	msg      *Message // between state machines
	get      *Get
	w        uint8 // the write that is asked for
	answer   *Answer
	lent     Term // the owner's term, where the answer is a lease
	items    []Item
	drop     bool   // fetched: what is staged is not at the giver
	nonce    uint64 // of the fetch
	all      bool
	hash     uint64
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

// runner makes steps. It is for one goroutine.
type runner struct {
	sc    *scenario
	out   Out
	enc   encoder
	steps []step
	count counts
	nodes [4]shared[node] // by member, of which the hash says nothing
	sent  shared[packet]
}

// shared has what was made for the worlds of this depth and of the one before,
// by hash, so that those which have equal nodes or packets have the same.
type shared[T any] struct{ made, before map[uint64]*T }

// one returns what is to stand for x.
func (s *shared[T]) one(hash uint64, x *T) *T {
	if s.made == nil {
		return x // nobody has asked for it
	}
	if old := s.made[hash]; old != nil {
		return old
	}
	if old := s.before[hash]; old != nil {
		x = old
	}
	s.made[hash] = x
	return x
}

// share begins to share for the next depth.
func (r *runner) share() {
	for x := range r.nodes {
		r.nodes[x].deeper()
	}
	r.sent.deeper()
}

func (s *shared[T]) deeper() { s.made, s.before = make(map[uint64]*T), s.made }

// counts tell that a search was not in vain.
type counts struct {
	hits      int // reads that found something
	old       int // of them, what was no longer the owner's value
	discarded int // fills that were not kept though lent
	takes     int // slots that became active
	quiet     int // worlds where nothing is left to do
	quietHas  int // of them, where the owner has a value
}

func newRunner(sc *scenario) *runner { return &runner{sc: sc} }

// mut returns a node for changing.
func (w *world) mut(x uint8) *node {
	if n := w.nodes[x]; n.dirty {
		return n
	}
	n := w.nodes[x].clone()
	n.dirty = true
	w.nodes[x] = n
	return n
}

// change returns the world after f.
func (r *runner) change(w *world, f func(nw *world)) *world {
	nw := *w
	nw.packets = slices.Clone(w.packets)
	r.out.Reset()
	f(&nw)
	r.finish(&nw)
	return &nw
}

func (r *runner) finish(w *world) {
	w.packets = slices.DeleteFunc(w.packets, func(p *packet) bool { return r.moot(w, p) })
	slices.SortFunc(w.packets, func(a, b *packet) int {
		if a.hash < b.hash {
			return -1
		}
		if a.hash > b.hash {
			return 1
		}
		return 0
	})
	for x, n := range w.nodes {
		if n.dirty {
			n.dirty = false
			r.enc.b = r.enc.b[:0]
			r.enc.node(n)
			n.hash = r.enc.sum()
			w.nodes[x] = r.nodes[x].one(n.hash, n)
		}
	}
	w.check()
}

// hash stands for the whole world.
func (r *runner) hash(w *world) uint64 {
	e := &r.enc
	e.b = e.b[:0]
	for _, n := range w.nodes {
		e.num(n.hash)
	}
	for _, p := range w.packets {
		e.num(p.hash)
	}
	e.b = append(e.b, w.stale, w.seen, w.gets, w.evict, w.floors, w.expire, w.retry, w.deadlines, w.lose, w.dup)
	e.b = append(e.b, w.before[:]...)
	for i := range w.ops {
		o := &w.ops[i]
		e.b = append(e.b, uint8(o.state)|o.client<<3|o.target<<5)
		e.bit(o.partial)
	}
	e.bit(w.crashed)
	e.bit(w.crashed2)
	e.bit(w.restarted)
	e.bit(w.left)
	e.bit(w.lostOne)
	return max(e.sum(), 1)
}

// send puts something on its way, unless nobody is there.
func (r *runner) send(w *world, p packet) {
	if !w.nodes[p.to].alive {
		return
	}
	e := &r.enc
	e.b = append(e.b[:0], p.from, p.to, uint8(p.kind), p.w)
	if p.msg != nil {
		e.message(p.msg)
	}
	if p.get != nil {
		e.get(p.get)
	}
	if p.answer != nil {
		e.answer(p.answer)
		e.term(p.lent)
	}
	e.items(p.items)
	e.bit(p.drop)
	e.num(p.nonce)
	e.bit(p.all)
	p.hash = e.sum()
	w.packets = append(w.packets, r.sent.one(p.hash, &p))
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
			return !n.get.open || n.get.call != call
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

// act does what a node asks for, as the node around the protocol does.
func (r *runner) act(w *world, x uint8) {
	n := w.nodes[x]
	messages, answers, loads, fetches := r.out.Messages, r.out.Answers, r.out.Loads, r.out.Fetches
	again := len(r.out.Again) > 0
	for i := range messages {
		m := messages[i].Message
		if len(m.Content) == 0 {
			m.Content = nil // as it arrives
		}
		r.send(w, packet{from: x, to: index(messages[i].To), kind: aMessage, msg: &m})
	}
	for _, l := range loads {
		r.beginLoad(w, n, l.ID)
	}
	for _, f := range fetches {
		r.send(w, packet{from: x, to: index(f.From), kind: aFetch, nonce: f.Nonce, all: f.All, items: staged(n)})
	}
	if again && n.again == 0 {
		n.again = 1
	}
	for i := range answers {
		r.answered(w, x, &answers[i])
	}
	r.out.Reset()
}

// staged lists what is staged, as a fetch names it.
func staged(n *node) []Item {
	var list []Item
	for _, it := range n.mem.AppendSlot(nil, 0, 1<<2) {
		list = append(list, itemOf(it, now))
	}
	return list
}

// check looks whether a read that begins now and needs to ask nobody would be
// wrong.
func (w *world) check() {
	if w.why != "" {
		return
	}
	for _, n := range w.nodes {
		if why := n.slot.miscounts(); why != "" && n.alive {
			w.why = why
		}
		for kind := range uint8(2) {
			if v, ok := n.readable(kindOf(kind)); ok && w.stale>>v&1 == 1 {
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

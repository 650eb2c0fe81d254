package protocol

import "sync"

// A step touches one node, and what it does there depends on nothing but that
// node and on what comes to it. There are far fewer nodes than worlds: so what
// a step does at a node is worked out once (effect) and then only looked up.
// Equal nodes and packets, by their hashes, are the same one of a store, which
// gives them numbers, so that worlds that wait to be visited have no pointers.

// store has all nodes and packets of a scenario's search.
type store struct {
	mu      sync.Mutex
	nodeOf  map[uint64]*node
	nodes   []*node // by number
	packOf  map[uint64]*packet
	packets []*packet
}

func newStore() *store {
	s := &store{nodeOf: map[uint64]*node{}, packOf: map[uint64]*packet{}}
	s.node(nobody)
	return s
}

func (s *store) node(n *node) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.nodeOf[n.hash]; old != nil {
		return old
	}
	if n != nobody {
		n.id = uint32(len(s.nodes))
	}
	s.nodeOf[n.hash] = n
	s.nodes = append(s.nodes, n)
	return n
}

func (s *store) packet(p *packet) *packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.packOf[p.hash]; old != nil {
		return old
	}
	p.id = uint32(len(s.packets))
	s.packOf[p.hash] = p
	s.packets = append(s.packets, p)
	return p
}

// nobody is where no member is, yet or any longer. Its number is 0.
var nobody = &node{hash: 1}

// runner makes steps. It is for one goroutine.
type runner struct {
	sc    *scenario
	store *store
	out   Out
	enc   encoder
	steps []step
	count counts
	memo  map[uint64]*effect

	extra []packet // what the node around sends, in the effect that is worked out
	hit   bool     // and whether an answer was a hit
}

func newRunner(sc *scenario) *runner { return newRunnerIn(sc, newStore()) }

func newRunnerIn(sc *scenario, st *store) *runner {
	return &runner{sc: sc, store: st, memo: make(map[uint64]*effect)}
}

// effect is what a step does at a node, and what follows from it.
type effect struct {
	node    *node
	sends   []*packet
	answers []answering
	loads   []uint32
	again   bool
	moved   bool   // fills that have begun are not kept
	took    bool   // the slot became active
	made    uint64 // the highest version made; 0: none
	hit     bool
}

// answering is an answer, and as it travels to each member.
type answering struct {
	Answer
	lent  Term
	known uint8
	to    [4]*packet
}

// What happens at a node; in effect's key, with what it depends on.
type nodeStep uint8

const (
	atOnce nodeStep = iota // not to be looked up
	comes
	ends
	asked
	writes
	clears
	falls
	loaded
)

// local makes a step at x.
func (r *runner) local(w *world, x uint8, kind nodeStep, arg uint32, f func(n *node)) *effect {
	n := w.nodes[x]
	key := uint64(n.id)<<36 | uint64(kind)<<32 | uint64(arg)
	eff := r.memo[key]
	if eff == nil || kind == atOnce {
		eff = r.work(n, x, f)
		if kind != atOnce {
			r.memo[key] = eff
		}
	}
	r.act(w, x, eff)
	return eff
}

// work works an effect out, on a copy of the node.
func (r *runner) work(n *node, x uint8, f func(n *node)) *effect {
	c := n.clone()
	r.out.Reset()
	r.extra, r.hit = r.extra[:0], false
	f(c)
	eff := &effect{
		again: len(r.out.Again) > 0, moved: c.slot.epoch != n.slot.epoch, took: c.slot.active && !n.slot.active, hit: r.hit,
	}
	if eff.took && c.sh.Fenced {
		c.slot.activated = placeOf(int(c.at))
	}
	eff.made, c.clock.made = c.clock.made, 0
	eff.node = r.settle(c)
	for i := range r.out.Messages {
		m := r.out.Messages[i].Message
		if len(m.Content) == 0 {
			m.Content = nil // as it arrives
		}
		eff.sends = append(eff.sends, r.packet(packet{from: x, to: index(r.out.Messages[i].To), kind: aMessage, msg: &m}))
	}
	for _, p := range r.extra {
		eff.sends = append(eff.sends, r.packet(p))
	}
	for _, l := range r.out.Loads {
		eff.loads = append(eff.loads, uint32(l.ID))
	}
	for _, f := range r.out.Fetches {
		eff.sends = append(eff.sends, r.packet(packet{from: x, to: index(f.From), kind: aFetch, nonce: f.Nonce, all: f.All, items: staged(c)}))
	}
	for i := range r.out.Answers {
		a := answering{Answer: r.out.Answers[i], lent: c.slot.term, known: r.sc.sides(c, x)}
		a.Unconfirmed = nil
		eff.answers = append(eff.answers, a)
	}
	return eff
}

// settle gives a node that was changed its hash and its place in the store.
func (r *runner) settle(n *node) *node {
	e := &r.enc
	e.b, e.values = e.b[:0], 0
	e.node(n)
	n.hash, n.values = e.sum(), e.values
	n.served, n.near, n.wrong = 0, 0, ""
	if v, ok := n.readable(0); ok {
		n.served = 1 << v
	}
	if v, ok := n.readable(1); ok {
		n.near = 1 << v
	}
	if n.alive {
		n.wrong = n.slot.miscounts()
	}
	return r.store.node(n)
}

// packet gives a packet its hash and its place in the store.
func (r *runner) packet(p packet) *packet {
	e := &r.enc
	e.b, e.values = append(e.b[:0], p.from, p.to, uint8(p.kind), p.w), 0
	if p.msg != nil {
		e.message(p.msg)
	}
	if p.get != nil {
		e.get(p.get)
	}
	if p.answer != nil {
		e.answer(p.answer)
		e.term(p.lent)
		e.u8(p.known)
	}
	e.items(p.items)
	e.bit(p.drop)
	e.num(p.nonce)
	e.bit(p.all)
	e.num(p.floor)
	p.hash, p.values = e.sum(), e.values
	if p.kind == aWrite {
		p.values |= 1 << p.w
	}
	return r.store.packet(&p)
}

// act does what a node asks for, as the node around the protocol does.
func (r *runner) act(w *world, x uint8, eff *effect) {
	w.nodes[x] = eff.node
	side := &w.sides[x]
	if eff.moved {
		side.get.fresh = false
	}
	if eff.took {
		r.count.takes++
	}
	if eff.made > 0 && r.sc.fence > 0 {
		r.announce(w, x, eff.made)
	}
	for _, p := range eff.sends {
		if r.reaches(w, x, p.to) && r.sc.mute>>x&1 == 0 {
			w.packets = append(w.packets, p)
		}
	}
	for _, id := range eff.loads {
		r.beginLoad(w, x, id)
	}
	if eff.again && side.again == 0 {
		side.again = 1
	}
	for i := range eff.answers {
		r.answered(w, x, &eff.answers[i])
	}
}

// staged lists what is staged, as a fetch names it.
func staged(n *node) []Item {
	var list []Item
	for _, it := range n.mem.AppendSlot(nil, 0, 1<<2) {
		list = append(list, itemOf(it, now))
	}
	return list
}

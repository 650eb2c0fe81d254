package protocol

// op is a write as its caller knows it.
type op struct {
	state   opState
	client  uint8
	target  uint8 // who was asked
	partial bool  // answered Partial: it is to be done all the same
	known   uint8 // of a clear: to whom what its client did was known when it began
}

type opState uint8

const (
	unborn  opState = iota
	waiting         // for an answer
	idle            // was not executed, to be sent again
	acked
	failed // may or may not take effect
)

// Calls: what kind, and which.
const (
	callWrite = 0x100
	callGet   = 0x200
	callAgain = 0x300
)

func writeCall(w uint8) Call { return callWrite | Call(w) }

// getCall is the call of x's read under way. Answers to one from before a cut are
// not taken for it.
func (w *world) getCall(x uint8) Call { return getCall(x, w.sides[x].get.healed) }

func getCall(x uint8, healed bool) Call {
	c := callGet | Call(x)<<4
	if healed {
		c++
	}
	return c
}

// sendWrite asks the owner by the client's table, which may be the client. At
// once, the owner has it before anything else happens.
func (r *runner) sendWrite(w *world, x, id uint8, once bool) {
	o := &w.ops[id]
	owner := w.nodes[x].slot.Owner()
	if owner == 0 {
		o.state = idle
		return
	}
	o.state, o.client, o.target = waiting, x, index(owner)
	switch {
	case !r.reaches(w, x, o.target):
		o.state = idle // nothing has left
	case o.target == x || once:
		r.serveWrite(w, o.target, id, writeCall(id))
	default:
		r.send(w, packet{from: x, to: o.target, kind: aWrite, w: id})
	}
}

// serveWrite is a write that has come to y.
func (r *runner) serveWrite(w *world, y, id uint8, call Call) {
	r.local(w, y, writes, uint32(call), func(n *node) {
		c := WriteCall{Call: call, Ref: ref, Value: values[id], Deadline: never}
		if call&^0xff == callAgain || r.sc.kinds[id-1] == 'd' {
			c.Delete, c.Value = true, nil
		}
		n.slot.Write(c, now, &r.out)
	})
}

// sendAgain carries on a deletion of which the caller was told that it is not
// yet everywhere.
func (r *runner) sendAgain(w *world, x uint8) {
	y := index(w.nodes[x].slot.Owner())
	w.sides[x].again = 2
	if y != x {
		r.send(w, packet{from: x, to: y, kind: anAgain})
		if !r.reaches(w, x, y) {
			w.sides[x].again = 1
		}
		return
	}
	r.serveWrite(w, x, 0, callAgain|Call(x))
}

// startRead begins a read that finds nothing here. At once, the owner has it
// before anything else happens.
func (r *runner) startRead(w *world, x uint8, once bool) {
	owner := w.nodes[x].slot.Owner()
	if owner == 0 {
		return
	}
	y := index(owner)
	g := reading{open: true, fresh: true, target: y, healed: w.healed}
	for k := range w.know {
		g.stale[k], g.older[k] = w.know[k].stale, w.know[k].seen
	}
	w.sides[x].get = g
	w.gets--
	switch {
	case y == x:
		r.serveGet(w, x, r.get(w, x, y))
	case !r.reaches(w, x, y):
		w.sides[x].get = reading{}
	case once:
		r.serveGet(w, y, r.get(w, x, y))
	default:
		g := r.get(w, x, y)
		r.send(w, packet{from: x, to: y, kind: aGet, get: &g})
	}
}

// get is what x asks y.
func (r *runner) get(w *world, x, y uint8) Get {
	g := Get{Call: w.getCall(x), From: member(x), Ref: ref, Load: r.sc.load, Deadline: never}
	if x != y {
		g.Near = r.sc.near()
	}
	return g
}

// serveGet is a read that has come to y.
func (r *runner) serveGet(w *world, y uint8, g Get) {
	r.local(w, y, asked, uint32(g.Call), func(n *node) { n.slot.Get(g, now, &r.out) })
}

// answered takes an answer of y to wherever its caller is.
func (r *runner) answered(w *world, y uint8, a *answering) {
	client := y
	switch a.Call &^ 0xff {
	case callWrite:
		client = w.ops[a.Call&0xff].client
	case callGet:
		client = uint8(a.Call>>4) & 3
	case callAgain:
		client = uint8(a.Call) & 3
	}
	if !r.standing(w, y) && (a.Status == Written || a.Status == Found) {
		fenced := Answer{Call: a.Call, Status: Fenced}
		if client == y {
			r.hear(w, y, y, &fenced, a.known, nil)
		} else {
			r.send(w, packet{from: y, to: client, kind: anAnswer, answer: &fenced})
		}
		return
	}
	if client == y {
		r.hear(w, y, y, &a.Answer, a.known, nil)
		return
	}
	if !r.reaches(w, y, client) {
		return
	}
	if a.to[client] == nil {
		held := a.Answer
		a.to[client] = r.packet(packet{from: y, to: client, kind: anAnswer, answer: &held, lent: a.lent, known: a.known})
	}
	p := a.to[client]
	if r.reduces() && r.hearsAtOnce(w, client, &a.Answer) {
		r.hear(w, client, y, &a.Answer, a.known, p)
		return
	}
	w.packets = append(w.packets, p)
}

// hear is an answer that has come to its caller, as a packet if it was another's.
func (r *runner) hear(w *world, x, y uint8, a *Answer, known uint8, p *packet) {
	switch a.Call &^ 0xff {
	case callWrite:
		r.hearWrite(w, uint8(a.Call&0xff), a.Status, known)
	case callGet:
		r.hearGet(w, x, y, a, known, p)
	case callAgain:
		if s := &w.sides[x]; s.again == 2 {
			s.again = 1
			if a.Status == Written || a.Status == Partial {
				s.again = 0
			}
		}
	}
}

func (r *runner) hearWrite(w *world, id uint8, status Status, known uint8) {
	o := &w.ops[id]
	if o.state != waiting && o.state != idle {
		return
	}
	switch status {
	case Written:
		o.state = acked
		if o.known != 0 {
			known &= o.known
		}
		w.done(known, id)
	case NotMine, NotExecuted:
		o.state = idle
	default:
		o.state, o.partial = failed, status == Partial
	}
}

func (r *runner) hearGet(w *world, x, y uint8, a *Answer, known uint8, p *packet) {
	g := w.sides[x].get
	if !g.open || a.Call != w.getCall(x) {
		return
	}
	w.sides[x].get = reading{}
	hit := a.Status == Found
	if p != nil && a.Status != NotMine {
		had := w.nodes[x].near
		hit = r.fill(w, x, p, g.fresh)
		if hit && a.Lease && w.nodes[x].near == had {
			r.count.discarded++
		}
	}
	if hit {
		r.count.hits++
		v := a.Value[0]
		if cur := w.nodes[y].served; cur != 0 && cur != 1<<v {
			r.count.old++
		}
		for k := range w.know {
			if known>>k&1 == 1 {
				w.know[k].read(v, g.stale[k], g.older[k])
			}
		}
	}
}

// fill takes the owner's answer to x's read, and tells whether it is a hit.
func (r *runner) fill(w *world, x uint8, p *packet, fresh bool) bool {
	arg := p.id << 1
	if fresh {
		arg |= 1
	}
	return r.local(w, x, ends, arg, func(n *node) {
		f := n.slot.Begin(ref, r.sc.near(), now)
		if !fresh {
			f.epoch--
		}
		puts := n.mem.nearPuts
		r.hit = n.slot.End(f, p.answer, now)
		if n.mem.nearPuts > puts {
			n.lent, n.lentBy = p.lent, p.known
		}
	}).hit
}

// beginLoad runs the loader: it reads the database at once, which is the
// earliest it can.
func (r *runner) beginLoad(w *world, x uint8, id uint32) {
	l := loading{id: id}
	for i := range len(r.sc.kinds) {
		v := uint8(i + 1)
		if k := r.sc.kinds[i]; k == 'l' && w.ops[v].state == unborn {
			l.w = v
			w.ops[v] = op{state: failed, client: x}
			w.begun(v)
			for k := range w.know {
				w.know[k].seen |= 1 << v
			}
			break
		}
	}
	loads := &w.sides[x].loads
	for i := range loads {
		if loads[i].id == 0 {
			loads[i] = l
			return
		}
	}
	panic("too many loaders at a time")
}

// endLoad brings the loader's result.
func (r *runner) endLoad(w *world, x uint8, i int) {
	l := w.sides[x].loads[i]
	w.sides[x].loads[i] = loading{}
	res := Loaded{Err: errLoad}
	if l.w != 0 {
		res = Loaded{Value: values[l.w]}
	}
	r.local(w, x, loaded, l.id<<8|uint32(l.w), func(n *node) { n.slot.Loaded(uint64(l.id), ref, res, now, &r.out) })
}

var errLoad = errorString("no such thing in the database")

type errorString string

func (e errorString) Error() string { return string(e) }

package protocol

import "github.com/peercache/peercache/cache"

func kindOf(k uint8) cache.Kind { return cache.Kind(k) }

// op is a write as its caller knows it.
type op struct {
	state   opState
	client  uint8
	target  uint8 // who was asked
	partial bool  // answered Partial: it is to be done all the same
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

// sendWrite asks the owner by the client's table, which may be the client.
func (r *runner) sendWrite(w *world, x, id uint8) {
	n := w.nodes[x]
	o := &w.ops[id]
	if n.slot.Owner() == 0 {
		o.state = idle
		return
	}
	o.state, o.client, o.target = waiting, x, index(n.slot.Owner())
	if o.target != x {
		r.send(w, packet{from: x, to: o.target, kind: aWrite, w: id})
		if !w.nodes[o.target].alive {
			o.state = idle // nothing has left
		}
		return
	}
	r.serveWrite(w, x, id, writeCall(id))
}

// serveWrite is a write that has come to y.
func (r *runner) serveWrite(w *world, y, id uint8, call Call) {
	n := w.mut(y)
	c := WriteCall{Call: call, Ref: ref, Value: values[id], Deadline: never}
	if call&^0xff == callAgain || r.sc.kinds[id-1] == 'd' {
		c.Delete, c.Value = true, nil
	}
	n.slot.Write(c, now, &r.out)
	r.act(w, y)
}

// sendAgain carries on a deletion of which the caller was told that it is not
// yet everywhere.
func (r *runner) sendAgain(w *world, x uint8) {
	n := w.mut(x)
	y := index(n.slot.Owner())
	n.again = 2
	if y != x {
		r.send(w, packet{from: x, to: y, kind: anAgain})
		if !w.nodes[y].alive {
			n.again = 1
		}
		return
	}
	r.serveWrite(w, x, 0, callAgain|Call(x))
}

// startRead begins a read that finds nothing here.
func (r *runner) startRead(w *world, x uint8) {
	n := w.mut(x)
	owner := n.slot.Owner()
	if owner == 0 {
		return
	}
	y := index(owner)
	n.get = reading{
		open: true, call: callGet | Call(x)<<4 | Call(w.gets), target: y, stale: w.stale, older: w.seen,
	}
	w.gets--
	g := Get{Call: n.get.call, From: member(x), Ref: ref, Load: r.sc.load, Deadline: never}
	if y != x {
		g.Near = r.sc.near()
		n.get.fill = n.slot.Begin(ref, g.Near, now)
		r.send(w, packet{from: x, to: y, kind: aGet, get: &g})
		if !w.nodes[y].alive {
			n.get = reading{}
		}
		return
	}
	n.slot.Get(g, now, &r.out)
	r.act(w, x)
}

// answered takes an answer of y to wherever its caller is.
func (r *runner) answered(w *world, y uint8, a *Answer) {
	client := y
	switch a.Call &^ 0xff {
	case callWrite:
		client = w.ops[a.Call&0xff].client
	case callGet:
		client = uint8(a.Call>>4) & 3
	case callAgain:
		client = uint8(a.Call) & 3
	}
	if client == y {
		r.hear(w, y, y, a, Term{})
		return
	}
	held := *a
	held.Unconfirmed = nil
	r.send(w, packet{from: y, to: client, kind: anAnswer, answer: &held, lent: w.nodes[y].slot.term})
}

// hear is an answer that has come to its caller.
func (r *runner) hear(w *world, x, y uint8, a *Answer, lent Term) {
	switch a.Call &^ 0xff {
	case callWrite:
		r.hearWrite(w, uint8(a.Call&0xff), a.Status)
	case callGet:
		r.hearGet(w, x, y, a, lent)
	case callAgain:
		n := w.mut(x)
		if n.again == 2 {
			n.again = 1
			if a.Status == Written || a.Status == Partial {
				n.again = 0
			}
		}
	}
}

func (r *runner) hearWrite(w *world, id uint8, status Status) {
	o := &w.ops[id]
	if o.state != waiting && o.state != idle {
		return
	}
	switch status {
	case Written:
		o.state = acked
		w.done(id)
	case NotMine, NotExecuted:
		o.state = idle
	default:
		o.state, o.partial = failed, status == Partial
	}
}

func (r *runner) hearGet(w *world, x, y uint8, a *Answer, lent Term) {
	n := w.mut(x)
	g := n.get
	if !g.open || g.call != a.Call {
		return
	}
	n.get = reading{}
	hit := a.Status == Found
	if x != y {
		puts := n.mem.nearPuts
		hit = a.Status != NotMine && n.slot.End(g.fill, a, now)
		switch {
		case n.mem.nearPuts > puts:
			n.lent = lent
		case hit && a.Lease:
			r.count.discarded++
		}
	}
	if hit {
		r.count.hits++
		v := a.Value[0]
		if cur, ok := w.nodes[y].readable(cache.Owned); ok && cur != v {
			r.count.old++
		}
		w.read(v, g.stale, g.older)
	}
}

// beginLoad runs the loader: it reads the database at once, which is the
// earliest it can.
func (r *runner) beginLoad(w *world, n *node, id uint64) {
	l := loading{id: id}
	for i := range len(r.sc.kinds) {
		v := uint8(i + 1)
		if k := r.sc.kinds[i]; k == 'l' && w.ops[v].state == unborn {
			l.w = v
			w.ops[v] = op{state: failed, client: index(n.sh.Self)}
			w.begun(v)
			w.seen |= 1 << v
			break
		}
	}
	for i := range n.loads {
		if n.loads[i].id == 0 {
			n.loads[i] = l
			return
		}
	}
	panic("too many loaders at a time")
}

// endLoad brings the loader's result.
func (r *runner) endLoad(w *world, x uint8, i int) {
	n := w.mut(x)
	l := n.loads[i]
	n.loads[i] = loading{}
	res := Loaded{Err: errLoad}
	if l.w != 0 {
		res = Loaded{Value: values[l.w]}
	}
	n.slot.Loaded(l.id, ref, res, now, &r.out)
	r.act(w, x)
}

var errLoad = errorString("no such thing in the database")

type errorString string

func (e errorString) Error() string { return string(e) }

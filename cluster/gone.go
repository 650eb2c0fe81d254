package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// Every node keeps a connection to every member. When a process dies its host
// ends them, and refuses new ones: so each member sees it by itself, without a
// call to the dead one being needed. A refusal may have another reason (a
// firewall, on the way of one member only), so who is refused
//
//   - tries again a little later: whatever else happens then is no refusal;
//   - asks the others, who try for themselves (and, where they are refused too,
//     do the same): the member stays if it has answered one of them;
//   - else drops it at once, and does not wait for gossip to notice.
//
// Only the refusal of a connection counts, ECONNREFUSED from the dial. A full
// backlog, want of local ports, a reset of what was connected or silence are
// left to gossip, as is a host that says nothing.
//
// Gossip cannot be told, and takes the member for one for some seconds more. So
// what it says, or what is still under way from the member itself, does not
// bring it back: it is let in again when it answers at its address, as the same
// incarnation (see prove). It is a stranger then, see meet.go.

const (
	// refusals are how many dials in a row must be refused, refusalPause apart.
	refusals     = 3
	refusalPause = 30 * time.Millisecond
	// askFor is how long the others have to say that the member answers them. A
	// LAN needs a few milliseconds: those who are slower have no say.
	askFor  = 150 * time.Millisecond
	checkBy = 100 * time.Millisecond // how long a dial for somebody else may take
	// askPause is how long a member that answers others is left alone.
	askPause = time.Second
	// The pauses between two looks for a member that refused and that gossip names.
	firstProof = 100 * time.Millisecond
	lastProof  = 5 * time.Second
)

// verdict is how an attempt to reach a member ended.
type verdict byte

const (
	unclear  verdict = iota // anything else
	refusing                // nobody listens there
	answers                 // it is there, as the same incarnation
	replaced                // another run is
)

// refused tells whether a dial was refused by the other side.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && errors.Is(err, syscall.ECONNREFUSED)
}

var errReplaced = errors.New("cluster: another run of the node answers at its address")

// dialMember connects to a member, if it is the one who answers.
func (n *Node) dialMember(ctx context.Context, id protocol.Member, addr string, atMost time.Duration) (*wire.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	c, err := wire.Dial(ctx, addr, n.wire, n.serve)
	if err != nil {
		return nil, err
	}
	if helloOf(c.Peer()) != id {
		c.Close()
		return nil, fmt.Errorf("%w: %s", errReplaced, addr)
	}
	return c, nil
}

// reach finds out whether a member answers.
func (n *Node) reach(ctx context.Context, id protocol.Member, addr string, atMost time.Duration) verdict {
	c, err := n.dialMember(ctx, id, addr, atMost)
	switch {
	case err == nil:
		c.Close()
		return answers
	case errors.Is(err, errReplaced):
		return replaced
	case refused(err):
		return refusing
	}
	return unclear
}

// suspect finds out whether a member that has refused a connection is gone, in
// a goroutine that ends then. One at a time is enough.
func (n *Node) suspect(l *link) {
	if !l.suspected.CompareAndSwap(false, true) {
		return
	}
	n.ringAhead(l.name, 0, true) // for the table without it
	started := n.spawn(func(ctx context.Context) {
		defer l.suspected.Store(false)
		if !n.refusesAgain(ctx, l) {
			return
		}
		if who := n.whoReaches(ctx, l.id); who != "" {
			n.log.Warn("cluster: a member refuses connections, but answers another", "member", l.name, "addr", l.addr, "other", who)
			rest(ctx, askPause)
			return
		}
		if ctx.Err() == nil && n.members.link(l.id) == l {
			n.log.Info("cluster: a member refuses connections: its process is gone", "member", l.name, "addr", l.addr)
			n.members.missSoon()
			n.void(l.id) // first: what it is lent when it is back is to stay
			n.members.refuse(l.id)
		}
	})
	if !started {
		l.suspected.Store(false)
	}
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (n *Node) refusesAgain(ctx context.Context, l *link) bool {
	for range refusals - 1 {
		rest(ctx, refusalPause)
		if l.conn.Load() != nil || n.reach(ctx, l.id, l.addr, checkBy) != refusing {
			return false
		}
	}
	return ctx.Err() == nil
}

// whoReaches asks all others whether a member answers them, and returns the
// name of one whom it does.
func (n *Node) whoReaches(ctx context.Context, id protocol.Member) string {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	body := binary.BigEndian.AppendUint64(nil, uint64(id))
	var asked int
	links := *n.members.linked.Load()
	found := make(chan string, len(links))
	for other, l := range links {
		if other == id || l.conn.Load() == nil {
			continue
		}
		started := n.spawn(func(context.Context) { // ends with the call
			name := ""
			if b, err := l.call(ctx, kindReach, body, askFor); err == nil && len(b) > 0 && verdict(b[0]) == answers {
				name = l.name
			}
			found <- name
		})
		if started {
			asked++
		}
	}
	for range asked {
		select {
		case name := <-found:
			if name != "" {
				return name
			}
		case <-ctx.Done():
			return ""
		}
	}
	return ""
}

// onReach answers the question whether a member can be reached from here.
func (n *Node) onReach(body []byte) ([]byte, error) {
	d := decoder{b: body}
	id := protocol.Member(d.uint64())
	if err := d.err(); err != nil {
		return nil, err
	}
	if id == n.id {
		return []byte{byte(answers)}, nil
	}
	l := n.members.link(id)
	if l == nil {
		return []byte{byte(unclear)}, nil
	}
	v := l.check.do(n, func() verdict { return n.reach(n.ctx, l.id, l.addr, checkBy) })
	if v == refusing {
		n.suspect(l)
	}
	return []byte{byte(v)}, nil
}

// void ends what a process that is gone may have held: no near copy is waited
// for. With the fence on it is: the process may live.
func (n *Node) void(m protocol.Member) {
	if n.cfg.Fence == 0 {
		n.goneFromSlots(m)
	}
}

// processGone drops a member whose process is known to be gone: it holds no
// copies, and answers nothing. That it said so itself is the only proof that the
// fence accepts.
func (n *Node) processGone(m protocol.Member, said bool) {
	n.members.departAs(m, departed{inOrder: true, said: said})
	if said {
		n.goneFromSlots(m)
	} else {
		n.void(m)
	}
}

// refuse drops a member that refuses connections.
func (r *roster) refuse(id protocol.Member) {
	r.mu.Lock()
	o := r.others[id]
	if o == nil {
		r.mu.Unlock()
		return
	}
	rec := o.record
	changed := r.drop(id, departed{refused: true, named: o.gossiped})
	if changed && r.node.cfg.Fence == 0 {
		r.voided = id // writes that have begun since void may wait for it
	}
	if g := r.gone[id]; g.named {
		r.prove(&g, &rec, true)
	}
	r.settle(changed, false)
}

// prove looks for a member that has refused connections and of which something
// has been heard. It is called with mu held.
func (r *roster) prove(g *departed, rec *record, named bool) {
	g.named = g.named || named
	if !g.proving {
		who := *rec
		g.proving = r.node.spawn(func(ctx context.Context) { r.node.prove(ctx, who) })
	}
	r.gone[g.ID] = *g
}

// prove tries a member until it answers, and lets it in again; or until gossip
// does not take it for a member any longer.
func (n *Node) prove(ctx context.Context, rec record) {
	for wait := firstProof; ctx.Err() == nil; wait = min(2*wait, lastProof) {
		rest(ctx, wait)
		switch n.reach(ctx, rec.ID, rec.Peer, dialFor) {
		case answers:
			n.members.proved(rec.ID)
			n.members.learn(fromProof, rec)
			return
		case replaced:
			n.processGone(rec.ID, false)
		}
		if !n.members.unproved(rec.ID) {
			return
		}
	}
}

// unproved tells whether a member that refused is still to be looked for, and
// notes if it is not.
func (r *roster) unproved(id protocol.Member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := r.gone[id]
	if !ok || !g.refused || g.inOrder {
		return false
	}
	if !g.named {
		g.proving = false
		r.gone[id] = g
	}
	return g.named
}

func (r *roster) proved(id protocol.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g, ok := r.gone[id]; ok {
		g.proving = false
		r.gone[id] = g
	}
}

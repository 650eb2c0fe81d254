package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// Leave hands over what this node owns, says goodbye and closes it. Until the
// others have everything it goes on answering; calls made on it from then on
// return ErrClosed. It returns when all that is done, or with ctx's end (after
// 30 s at most), with an error that says what was not handed over. The node is
// closed then, or about to be: Close waits until it is. Leave may be called once
// or many times, from anywhere; the first call's ctx is what the node has.
func (n *Node) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveFor)
	defer cancel()
	n.leaveOnce.Do(func() {
		go func() { // ends with Close, some seconds after ctx at most unless a Load does not end
			defer close(n.leftDone)
			n.leaveErr = n.leave(ctx)
		}()
	})
	select {
	case <-n.leftDone:
		return n.leaveErr
	case <-ctx.Done():
	}
	select {
	case <-n.leftDone: // both came at once
		return n.leaveErr
	default:
	}
	if e := n.handed.Load(); e != nil {
		return *e
	}
	return fmt.Errorf("cluster: leaving is not over: %w", ctx.Err())
}

const (
	leaveFor = 30 * time.Second
	// closeFor is what is kept of the time to leave, a quarter at most, for saying
	// goodbye and closing.
	closeFor = 1500 * time.Millisecond
)

// handoverTime is ctx without what is kept for closing.
func handoverTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, _ := ctx.Deadline()
	return context.WithDeadline(ctx, end.Add(-min(closeFor, time.Until(end)/4)))
}

func (n *Node) leave(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(n.ctx, cancel)
	defer stop()
	n.quit.Store(true)
	handed := n.handOver(ctx)
	n.handed.Store(&handed)
	n.shut.Store(true)
	n.members.advance(left)
	n.flushLinks(ctx)
	n.sayGoodbye(ctx)
	if err := n.Close(); handed == nil {
		return err
	}
	return handed
}

// handOver lets the others take what is here, unless nothing is yet.
func (n *Node) handOver(ctx context.Context) error {
	ctx, cancel := handoverTime(ctx)
	defer cancel()
	defer n.handedOver()
	if n.members.quitJoining() {
		return nil
	}
	n.awaitJoiner(ctx)
	n.copyOut(ctx)
	n.members.advance(leaving)
	done := func() bool {
		return n.holding() == 0 || n.nobodyActive() || n.cfg.faults.has(leavesEarly)
	}
	n.until(ctx, done)
	if !done() {
		return fmt.Errorf("cluster: left without handing over %d slots: %w", n.holding(), context.Cause(ctx))
	}
	return nil
}

// goodbyeFor bounds the goodbye. Every member has been told directly before;
// who has not heard it notices that the node is gone.
const goodbyeFor = time.Second

func (n *Node) sayGoodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeFor)
	defer cancel()
	if err := n.gossip.Leave(ctx); err != nil {
		n.log.Info("cluster: the goodbye may not have reached everybody", "err", err)
	}
}

// joinerFor is how long the last active node waits, before it leaves, for one
// that is joining to turn active and take what there is.
const joinerFor = 2 * time.Second

func (n *Node) awaitJoiner(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, joinerFor)
	defer cancel()
	n.until(ctx, func() bool { return !n.nobodyActive() || len(*n.members.linked.Load()) == 0 })
}

// nobodyActive tells whether there is nobody to hand over to.
func (n *Node) nobodyActive() bool {
	v := n.members.view.Load()
	for _, m := range v.table.Active {
		if m != n.id {
			return false
		}
	}
	return true
}

// copyOut lets every owner, this node included, copy ahead what others are to
// own or to back up when this node has left. All go on serving meanwhile.
//
// It takes half of the time that there is at most: it only makes the switch short.
func (n *Node) copyOut(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	all := make(map[*link][]int)
	for _, h := range n.members.view.Load().holders {
		if h.link != nil {
			all[h.link] = nil
		}
	}
	if len(all) == 0 {
		return
	}
	own := make(chan struct{})
	if !n.spawn(func(context.Context) { // ends with ctx, and is waited for
		defer close(own)
		n.copyWithout(ctx, n.cfg.Name)
	}) {
		return
	}
	n.eachLink(all, func(l *link, _ []int) {
		n.awaitLink(ctx, l)
		if _, err := l.call(ctx, kindPrepare, nil, leaveFor); err != nil && ctx.Err() == nil {
			n.log.Warn("cluster: a member has not prepared for this one to leave: the rest goes with the switch", "member", l.name, "err", err)
		}
	})
	<-own
}

// onPrepare copies ahead what is needed when a member that says that it is about
// to leave has done so, in a goroutine that ends with that, and answers then.
func (n *Node) onPrepare(from protocol.Member, c *wire.Conn, r wire.Request) {
	l := n.members.link(from)
	if l == nil || !l.copiesOut.CompareAndSwap(false, true) {
		n.replyWith(c, r.ID, nil)
		return
	}
	// It waits here for half of the time that it has at most.
	left := min(r.Timeout, leaveFor)
	l.leavesBy.Store(int64(n.clock.now() + 2*left))
	n.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		n.copyWithout(ctx, l.name)
		n.replyWith(c, r.ID, nil)
	})
}

// copyWithout copies slots that this node owns to those who will own them or
// back them up, and do not yet, when the member of that name has left.
func (n *Node) copyWithout(ctx context.Context, name string) {
	v := n.members.view.Load()
	names := slices.DeleteFunc(slices.Clone(v.ring.names), func(s string) bool { return s == name })
	if len(names) == 0 || len(names) == len(v.ring.names) {
		return
	}
	next := n.rings.of(names, v.backups)
	links := make(map[string]*link)
	for _, h := range v.holders {
		links[h.name] = h.link
	}
	slots := make(map[*link][]int)
	for slot := range slotCount {
		has := v.ring.owners(slot)
		if v.holders[has[0]].link != nil {
			continue
		}
		for _, i := range next.owners(slot) {
			holds := slices.ContainsFunc(has, func(h uint16) bool { return v.ring.names[h] == next.names[i] })
			if l := links[next.names[i]]; l != nil && !holds {
				slots[l] = append(slots[l], slot)
			}
		}
	}
	n.eachLink(slots, func(l *link, list []int) {
		n.awaitLink(ctx, l)
		if err := n.pushTo(ctx, l, list); err != nil && ctx.Err() == nil {
			n.log.Warn("cluster: copying ahead failed: the rest goes with the switch", "member", l.name, "err", err)
		}
	})
}

// flushLinks waits until what is queued for the others has been given to the
// connections, as far as there are any.
func (n *Node) flushLinks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, l := range *n.members.linked.Load() {
		n.until(ctx, func() bool { return l.conn.Load() == nil || l.empty() })
	}
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// op is a call on one key, from where it is made until it is answered.
type op struct {
	kind  wire.Kind // kindGet, kindSet or kindDelete
	space *space
	key   string
	hash  uint64
	value []byte
	ttl   time.Duration
	load  bool
}

func (o *op) ref() cache.Ref {
	return cache.Ref{Hash: o.hash, Cache: o.space.number, Key: o.key}
}

// timeout is how long a call may take.
func (n *Node) timeout(ctx context.Context) time.Duration {
	t := n.cfg.RequestTimeout
	if d, ok := ctx.Deadline(); ok {
		t = min(t, time.Until(d))
	}
	return t
}

const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = 100 * time.Millisecond
)

// do brings a call to the owner of its key, and to the next one where that is
// not the owner any longer. A write is sent again only when it surely was not
// executed. What was answered is in a, which is the caller's, since each copy of it on
// the way back would be looked for in cold memory; who answered is returned.
func (n *Node) do(ctx context.Context, o *op, a *protocol.Answer) (holder, error) {
	slot := slotOf(o.hash)
	now := n.clock.now()
	deadline := now + n.timeout(ctx)
	wait := firstRetry
	broken := 0
	for ; ; now = n.clock.now() {
		if n.fencedOff() {
			return holder{}, errFenced
		}
		v := n.members.view.Load()
		h, ok := v.owner(slot)
		*a = protocol.Answer{}
		err := errNoConnection
		switch {
		case !ok:
		case h.link == nil:
			err = n.doHere(ctx, o, a, slot, now, deadline)
		default:
			err = n.doThere(ctx, o, a, slot, h, v, now, deadline)
		}
		switch {
		case err == nil && !o.again(a, h):
			return h, answerError(a, n)
		case ctx.Err() != nil:
			return h, unanswered(h, ctx.Err())
		case n.ctx.Err() != nil:
			return h, ErrClosed
		case err != nil && !errors.Is(err, wire.ErrNotSent):
			again := o.kind == kindGet && errors.Is(err, wire.ErrBroken)
			if !again && !n.cfg.faults.has(sendsAgain) {
				return h, callError(err, h.name)
			}
		}
		if err != nil {
			broken++
		}
		if o.load && broken > 3 {
			return h, callError(err, h.name)
		}
		switch err := n.await(ctx, v, min(wait, deadline-n.clock.now())); {
		case ctx.Err() != nil:
			return h, unanswered(h, ctx.Err())
		case err != nil:
			return h, err
		}
		if n.cfg.faults.has(deadlineAnew) {
			deadline = n.clock.now() + n.timeout(ctx)
		}
		if n.clock.now() >= deadline {
			if errors.Is(err, wire.ErrOverloaded) {
				return h, callError(err, h.name)
			}
			return h, unanswered(h, errTimeout)
		}
		wait = min(2*wait, lastRetry)
	}
}

// again tells whether a call is to be made again that was answered so. An owner that is
// below its fence says nothing about what it has: who is not waits until another owns the
// key, or that one has its fence again.
func (o *op) again(a *protocol.Answer, h holder) bool {
	switch a.Status {
	case protocol.NotMine, protocol.NotExecuted:
		return true
	case protocol.Fenced:
		return o.kind == kindGet && !o.load && h.link != nil
	}
	return false
}

// unanswered says who should have answered a call.
func unanswered(h holder, why error) error {
	if h.link == nil { // this node, or nobody
		return fmt.Errorf("%w: no owner answered for the key: %w", ErrUnavailable, why)
	}
	return fmt.Errorf("%w: %s, the key's owner, has not answered: %w", ErrUnavailable, h.name, why)
}

// await waits for another table than v, but not longer than that.
func (n *Node) await(ctx context.Context, v *view, wait time.Duration) error {
	t := time.NewTimer(max(wait, 0))
	defer t.Stop()
	select {
	case <-v.replace:
	case <-t.C:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	case <-n.ctx.Done():
		return ErrClosed
	}
	return nil
}

// doHere calls this node's own slot.
func (n *Node) doHere(ctx context.Context, o *op, a *protocol.Answer, slot int, now, deadline time.Duration) error {
	if !n.mayAnswer() {
		return errAsleep
	}
	lc := n.takeLocal()
	st, p, s := n.begin(slot)
	call := p.calls.add(caller{local: lc})
	switch o.kind {
	case kindGet:
		s.Get(protocol.Get{Call: call, From: n.id, Ref: o.ref(), Load: o.load, Deadline: deadline}, now, &st.out)
	default:
		d := deadline - margin(deadline-now)
		s.Write(protocol.WriteCall{
			Call: call, Ref: o.ref(), Delete: o.kind == kindDelete, Value: o.value, TTL: o.ttl, Deadline: d,
		}, now, &st.out)
	}
	n.end(st, p, slot)
	return n.waitLocal(ctx, lc, a, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.calls.take(call).local != nil
	}, deadline-now)
}

// waitLocal waits for a call on this node to be answered. Forget makes sure
// that it will not be, and tells whether that came in time.
func (n *Node) waitLocal(ctx context.Context, lc *localCall, a *protocol.Answer, forget func() bool, atMost time.Duration) error {
	select {
	case *a = <-lc.done:
		n.locals.Put(lc)
		return nil
	default:
	}
	t := time.NewTimer(atMost + 2*tickEvery)
	defer t.Stop()
	var err error
	select {
	case *a = <-lc.done:
		n.locals.Put(lc)
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.ctx.Done():
		err = ErrClosed
	case <-t.C:
		err = errTimeout
	}
	if !forget() { // the answer is on its way
		*a = <-lc.done
		err = nil
	}
	n.locals.Put(lc)
	return err
}

var errTimeout = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

func (n *Node) takeLocal() *localCall { return n.locals.Get().(*localCall) }

// doThere sends a call to another member.
func (n *Node) doThere(ctx context.Context, o *op, a *protocol.Answer, slot int, h holder, v *view, now, deadline time.Duration) error {
	if o.kind != kindGet {
		err := n.ask(ctx, o, a, h, v, deadline-now)
		if err == nil && a.Status == protocol.Written {
			n.clock.Observe(a.Version) // what deletes it is to be newer, see Shared.Hit
		}
		return err
	}
	if n.cfg.NearTTL <= 0 { // there is nothing to keep
		err := n.ask(ctx, o, a, h, v, deadline-now)
		if err == nil && a.Status != protocol.NotMine && !n.shared.Hit(o.space.number, a) && a.Status == protocol.Found {
			a.Status, a.Value = protocol.Missing, nil
		}
		return err
	}
	p, s := n.slot(slot)
	p.mu.Lock()
	fill := s.Begin(o.ref(), n.cfg.NearTTL, now)
	p.mu.Unlock()
	err := n.ask(ctx, o, a, h, v, deadline-now)
	if err != nil || a.Status == protocol.NotMine {
		return err
	}
	if n.cfg.faults.has(leaseFromAnswer) {
		fill.Near += n.clock.now() - now
	}
	p.mu.Lock()
	hit := s.End(fill, a, n.clock.now())
	p.mu.Unlock()
	if a.Status == protocol.Found && !hit {
		a.Status, a.Value = protocol.Missing, nil
	}
	return nil
}

// ask sends a call to another member and waits for the answer.
func (n *Node) ask(ctx context.Context, o *op, a *protocol.Answer, h holder, v *view, atMost time.Duration) error {
	buf := n.buffers.take()
	defer n.buffers.give(buf)
	if o.kind == kindGet {
		*buf = appendGet(*buf, o.space.name, o.key, n.cfg.NearTTL, o.load)
	} else {
		*buf = appendWrite(*buf, o)
	}
	if n.cfg.faults.has(sendsAgain) {
		atMost = min(atMost, 100*time.Millisecond)
	}
	conn := h.link.conn.Load()
	if conn == nil {
		return errNoConnection
	}
	n.counts.calls[o.kind].Add(1)
	b, err := conn.Call(ctx, o.kind, *buf, atMost)
	if err != nil {
		return err
	}
	digest, err := decodeAnswer(b, a)
	if err == nil && a.Status == protocol.NotMine && digest != v.table.Digest {
		n.exchangeSoon(h.id)
	}
	return err
}

// answerError turns what an answer says into an error, where it says one.
func answerError(a *protocol.Answer, n *Node) error {
	switch a.Status {
	case protocol.Found, protocol.Written:
		return nil
	case protocol.Missing:
		return ErrNotFound
	case protocol.Partial:
		return n.partial(a.Unconfirmed)
	case protocol.Overloaded:
		return fmt.Errorf("%w: too many calls wait at the owner", ErrOverloaded)
	case protocol.Failed:
		return a.Err
	case protocol.Fenced:
		return errFenced
	}
	return fmt.Errorf("%w: the owner did not become active, or not all backups have acknowledged: %w", ErrUnavailable, errTimeout)
}

// partial names the members that have not confirmed.
func (n *Node) partial(ids []protocol.Member) error {
	e := &PartialError{}
	for _, id := range ids {
		e.Members = append(e.Members, n.members.nameOf(id))
	}
	return e
}

func callError(err error, name string) error {
	var refused *wire.RemoteError
	switch {
	case errors.Is(err, wire.ErrOverloaded):
		return fmt.Errorf("%w: the connection to %s: %w", ErrOverloaded, name, err)
	case errors.As(err, &refused):
		return fmt.Errorf("cluster: %s refused: %w", name, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, name, err)
}

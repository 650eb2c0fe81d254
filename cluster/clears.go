package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// clears is the protocol's state machine for clears with its lock.
type clears struct {
	mu    sync.Mutex // guards state and calls
	state *protocol.Clears
	calls calls
}

func newClears(sh *protocol.Shared) *clears {
	return &clears{state: protocol.NewClears(sh)}
}

// do runs f on the state and returns what is to be done about it.
func (c *clears) do(n *Node, f func(*protocol.Clears, *protocol.Out)) *step {
	st := n.steps.Get().(*step)
	c.mu.Lock()
	f(c.state, &st.out)
	for i := range st.out.Answers {
		st.whom = append(st.whom, c.calls.take(st.out.Answers[i].Call))
	}
	c.mu.Unlock()
	return st
}

// start clears a cache for a call on this node and returns the call's number.
func (c *clears) start(n *Node, number uint32, lc *localCall, deadline time.Duration) protocol.Call {
	var call protocol.Call
	n.act(c.do(n, func(s *protocol.Clears, out *protocol.Out) {
		call = c.calls.add(caller{local: lc})
		s.Start(call, number, deadline, n.clock.now(), out)
	}))
	return call
}

// forget drops the caller of that number; false means that its answer is on
// its way.
func (c *clears) forget(call protocol.Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls.take(call).local != nil
}

func (c *clears) handle(n *Node, from protocol.Member, on *wire.Conn, m *protocol.Message) {
	// The sender may name members of whose end it has not heard.
	m.Members = slices.DeleteFunc(m.Members, n.members.departed)
	st := c.do(n, func(s *protocol.Clears, out *protocol.Out) {
		s.Handle(from, m, n.clock.now(), out)
	})
	st.from = on
	n.act(st)
}

func (c *clears) switchTo(n *Node, t *protocol.Table) *step {
	return c.do(n, func(s *protocol.Clears, out *protocol.Out) { s.Switch(t, out) })
}

func (c *clears) gone(n *Node, m protocol.Member) {
	n.act(c.do(n, func(s *protocol.Clears, out *protocol.Out) { s.Gone(m, out) }))
}

func (c *clears) tick(n *Node) {
	n.act(c.do(n, func(s *protocol.Clears, out *protocol.Out) {
		if s.Open() > 0 {
			s.Tick(n.clock.now(), out)
		}
	}))
}

// clear clears a cache on every member.
func (n *Node) clear(ctx context.Context, sp *space) error {
	if err := n.check(ctx, "-"); err != nil {
		return err
	}
	if n.fencedOff() {
		return errFenced
	}
	sp.counts.clears.Add(1)
	timeout := n.timeout(ctx)
	deadline := n.clock.now() + timeout
	for !n.merged.Load() { // what has not heard of earlier clears may not clear
		if err := n.await(ctx, n.members.view.Load(), min(firstRetry, deadline-n.clock.now())); err != nil {
			return err
		}
		if n.clock.now() >= deadline {
			return fmt.Errorf("%w: the node has not joined yet: %w", ErrUnavailable, errTimeout)
		}
	}
	defer n.spreadGeneration(sp)
	lc := n.takeLocal()
	call := n.clears.start(n, sp.number, lc, deadline-margin(timeout))
	var a protocol.Answer
	err := n.waitLocal(ctx, lc, &a, func() bool { return n.clears.forget(call) }, deadline-n.clock.now())
	if err != nil {
		if errors.Is(err, ErrClosed) {
			return err
		}
		return fmt.Errorf("%w: clearing: %w", ErrUnavailable, err)
	}
	return answerError(&a, n)
}

// spreadGeneration lets members hear early of a clear that nobody whom it asked
// knows of. They would hear of it in any case; nothing rests on this.
func (n *Node) spreadGeneration(sp *space) {
	gen := []protocol.CacheGeneration{{Cache: sp.number, Generation: *sp.gen.Load()}}
	if err := n.gossip.Broadcast(n.caches.appendGenerations(nil, gen)); err != nil {
		n.log.Debug("cluster: a clear was not spread by gossip", "err", err)
	}
}

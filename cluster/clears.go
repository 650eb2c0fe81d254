package cluster

import (
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

package cluster

import (
	"context"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// Gossip takes a member for dead that does not answer somebody's probes, and
// everybody believes it until the member has objected. A node that comes back
// from behind a cut, or whose process was stopped, takes all others for dead for
// a moment, and says so. Dropping a member that lives costs much: it is a stranger
// afterwards, see meet.go. So each node tries for itself, as with one that refuses
// connections: a member that answers at its address is kept, for as long as gossip
// has time to hear of it again (hearsay). A process that is stopped does not
// answer, though its host accepts connections for it.

// doubtFor is how long a member that gossip takes for dead has to answer.
const doubtFor = 300 * time.Millisecond

// doubt finds out whether a member is dead that gossip takes for that, in a
// goroutine that ends then.
func (n *Node) doubt(id protocol.Member) {
	l := n.members.doubted(id)
	if l == nil {
		n.members.depart(id, false)
		return
	}
	started := n.spawn(func(ctx context.Context) {
		v := n.reach(ctx, id, l.addr, doubtFor)
		if v == answers {
			n.log.Info("cluster: gossip takes a member for dead that answers: it is kept", "member", l.name)
		}
		if n.stalled(); ctx.Err() == nil {
			n.members.judge(id, v == answers)
		}
	})
	if !started {
		n.members.depart(id, false)
	}
}

// doubted notes that gossip takes a member for dead and returns the way to it;
// nil where there is nothing to find out.
func (r *roster) doubted(id protocol.Member) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.others[id]
	if o == nil {
		return nil
	}
	o.doubted = true
	return r.link(id)
}

// judge drops a member that gossip takes for dead, unless it answers or gossip has
// heard of it since.
func (r *roster) judge(id protocol.Member, answers bool) {
	r.mu.Lock()
	o := r.others[id]
	if o == nil || !o.doubted {
		r.mu.Unlock()
		return
	}
	if answers {
		o.doubted, o.gossiped, o.until = false, false, r.node.clock.now()+hearsay
		r.mu.Unlock()
		return
	}
	r.settle(r.drop(id, departed{}), false)
}

package cluster

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// The fence (Config.Fence) makes a node that others have taken for dead, while it
// lives, stop before anybody serves in its place. With it, a node sends every
// member of its table a ping, four times in FenceFor, and answers from its memory
// only while enough members (more than half of all that there can be) have
// answered a ping that it sent less than FenceFor ago. A member does not answer
//
//   - who is not in its table;
//   - who was taken out of its table, and has not taken all its slots again since:
//     a ping says of how many such times its sender knows (drops, in roster.go).
//
// So FenceFor after the members of a new table have taken a node out, that node
// serves nothing, and until then they do not serve in its place: a grant says how
// long the giver's own answers may still count (protocol.Table.Barred), and who
// takes a slot waits for the longest. That a process is known to be gone does not
// shorten it, only a member's own goodbye does. Since a node does not remember
// whom it answered before it was restarted, it turns active only FenceFor after
// its start: before, nobody counts its answers or asks for its grant.

// FenceFor is how old what a member has answered may be to count for
// Config.Fence, and how long is waited for a member that was taken out.
const FenceFor = 2 * time.Second

const (
	// fenceMargin is for clocks that do not run equally fast.
	fenceMargin = FenceFor / 16
	pingEvery   = FenceFor / 4
)

// outlive waits until nobody counts on what an earlier run of this node has
// answered.
func (n *Node) outlive(ctx context.Context) {
	if left := FenceFor + fenceMargin - n.clock.now(); n.cfg.Fence > 0 && left > 0 {
		rest(ctx, left)
	}
}

// pings asks members of the table for a sign: the one that a link leads to, or all.
// That is done as well when the table changes and when a connection is there, so
// that who is new need not wait.
func (n *Node) pings(only *link) {
	if n.cfg.Fence > 0 {
		n.members.pings(only, n.clock.now())
	}
}

func (r *roster) pings(only *link, now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, l := range *r.linked.Load() {
		if only != nil && l != only {
			continue
		}
		if o := r.others[id]; o != nil && o.seated() && l.conn.Load() != nil {
			l.putPing(now, o.theirs, r.node.clock.announce())
		}
	}
}

// seated tells whether a member is in this node's table, where this node is.
func (o *other) seated() bool { return o.met && o.inTable() }

// putPing queues a ping: when it was made, how often the member has dropped
// this node, as far as that has been acted upon, and how far the clock may count.
func (l *link) putPing(now time.Duration, drops, upTo uint64) {
	l.mu.Lock()
	if len(l.out) < maxOutbox {
		start := len(l.out)
		l.out = append(l.out, 0, 0, 0, 0, pingEntry)
		l.out = binary.AppendUvarint(l.out, uint64(now))
		l.out = binary.AppendUvarint(l.out, drops)
		l.out = binary.AppendUvarint(l.out, upTo)
		binary.BigEndian.PutUint32(l.out[start:], uint32(len(l.out)-start-4))
	}
	l.mu.Unlock()
	l.poke()
}

// onPing answers who has a right to it.
func (n *Node) onPing(from protocol.Member, c *wire.Conn, b []byte) {
	d := decoder{b: b}
	sent, drops, upTo := d.uvarint(), d.uvarint(), d.version()
	if d.err() != nil {
		n.malformed(from, errShort)
		return
	}
	if n.cfg.Fence == 0 {
		return
	}
	confirmed, ok := n.members.upholds(from, drops, upTo)
	if !ok {
		return
	}
	buf := n.buffers.take()
	*buf = append(*buf, 0, 0, 0, 0, pongEntry)
	*buf = binary.AppendUvarint(*buf, sent)
	*buf = binary.AppendUvarint(*buf, confirmed)
	binary.BigEndian.PutUint32(*buf, uint32(len(*buf)-4))
	if err := c.Send(kindBatch, *buf); err != nil {
		n.log.Debug("cluster: a ping was not answered", "from", uint64(from), "err", err)
	}
	n.buffers.give(buf)
}

// upholds tells whether a member may count on this node: it is in the table, and
// has acted upon every time that it was not. Then it may count up to upTo, or as far as
// was confirmed before this node began to leave. The lock
// makes sure that a later table, without it, comes after that and says later when it
// ended.
func (r *roster) upholds(id protocol.Member, drops, upTo uint64) (confirmed uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.others[id]
	if o == nil || !o.seated() || !r.self.inTable() || o.mine != drops {
		return 0, false
	}
	if r.self.State < leaving {
		o.told = max(o.told, upTo)
	}
	return min(upTo, o.told), true
}

func (n *Node) onPong(from protocol.Member, b []byte) {
	d := decoder{b: b}
	sent, upTo := d.uvarint(), d.version()
	if d.err() != nil || sent > uint64(n.clock.now()) || upTo > n.clock.asked.Load() {
		n.malformed(from, errShort)
		return
	}
	n.standing.answered(from, time.Duration(sent), upTo)
}

package cluster

import (
	"encoding/binary"
	"slices"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// batch is a frame of messages while it is handled: those that are to be handled
// together, and what is held back meanwhile.
type batch struct {
	list []protocol.Message
	held holding
}

// onBatch takes a frame of messages. What one of them has wrong does not keep
// the others from being heard.
//
// Messages for slots of one part that come one after the other, as those of a take
// do, are handled under its lock together. What follows for the sender of a frame with
// one message goes back at once: there is little going on, and nothing to wait for that
// could go with it. The rest is queued, and the more goes on the more goes together.
func (n *Node) onBatch(from protocol.Member, c *wire.Conn, b []byte) {
	x := n.batches.Get().(*batch)
	if len(b) >= 4 && uint64(binary.BigEndian.Uint32(b)) == uint64(len(b)-4) {
		x.held.to, x.held.on = from, c
	}
	rounds := 0
	handle := func() {
		n.handle(from, c, x.list, &x.held)
		clear(x.list)
		x.list = x.list[:0]
		if rounds++; rounds%heldRounds == 0 {
			x.held.release(n)
		}
	}
	through := func() { // nothing is held back while something else is done
		handle()
		x.held.release(n)
	}
	defer func() {
		through()
		x.held.to, x.held.on = 0, nil
		n.batches.Put(x)
	}()
	for len(b) > 0 {
		if len(b) < 4 {
			n.malformed(from, errShort)
			return
		}
		size := binary.BigEndian.Uint32(b)
		b = b[4:]
		if uint64(size) > uint64(len(b)) || size == 0 {
			n.malformed(from, errShort)
			return
		}
		entry := b[:size]
		b = b[size:]
		switch entry[0] {
		case stateEntry:
			through()
			n.onState(from, entry[1:])
			continue
		case pingEntry:
			through()
			n.onPing(from, c, entry[1:])
			continue
		case pongEntry:
			n.onPong(from, entry[1:])
			continue
		}
		m, known, err := n.caches.decodeMessage(entry)
		if err != nil {
			n.malformed(from, err)
		}
		if err != nil || !known || n.cfg.faults.message(n, from, c, &m) {
			continue
		}
		p := n.partOf(&m)
		if has := len(x.list); has > 0 && (p != n.partOf(&x.list[0]) || has == maxTogether) {
			handle()
		}
		if p == nil {
			x.held.release(n)
			n.clears.handle(n, from, c, &m)
			continue
		}
		x.list = append(x.list, m)
	}
}

// heldRounds bounds how long answers are held back.
const heldRounds = 32

// maxTogether bounds how long a part is locked for messages.
const maxTogether = 64

// onState takes what a member says about itself.
func (n *Node) onState(from protocol.Member, b []byte) {
	d := decoder{b: b}
	rec, theirs := d.record(), d.terms()
	if err := d.err(); err != nil || rec.ID != from {
		n.malformed(from, errShort)
		return
	}
	if rec.State == left {
		n.processGone(from, true)
		return
	}
	if rec.State == active && theirs.kin {
		n.members.meet(rec, theirs)
		return
	}
	n.members.learn(fromItself, rec)
}

func (n *Node) malformed(from protocol.Member, err error) {
	n.counts.malformed.Add(1)
	n.log.Warn("cluster: a message was not understood", "from", uint64(from), "err", err)
}

// helloOf reads a peer's incarnation from the first frame of its connection.
func helloOf(hello []byte) protocol.Member {
	if len(hello) < 8 {
		return 0
	}
	return protocol.Member(binary.BigEndian.Uint64(hello))
}

// holding is what is held back while a frame of messages is handled, so that it leaves
// together: answers to callers, and short messages to the frame's sender, which go back
// on the connection that it came on.
type holding struct {
	conns []*wire.Conn    // on which answers are held back
	to    protocol.Member // the sender; 0: messages to it are queued as all others are
	on    *wire.Conn      // where it has sent the frame
	back  []byte          // messages for it
}

func (h *holding) add(c *wire.Conn) {
	if !slices.Contains(h.conns, c) {
		c.Hold()
		h.conns = append(h.conns, c)
	}
}

// takes tells whether a message goes back so.
func (h *holding) takes(to protocol.Member, m *protocol.Message) bool {
	return h != nil && to == h.to && len(m.Content) == 0 && len(h.back) < maxBatch
}

func (h *holding) release(n *Node) {
	if len(h.back) > 0 {
		n.sendOn(h.on, h.to, h.back)
		if h.back = h.back[:0]; cap(h.back) > keptBuffer {
			h.back = nil
		}
	}
	for _, c := range h.conns {
		c.Release()
	}
	clear(h.conns)
	h.conns = h.conns[:0]
}

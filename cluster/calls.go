package cluster

import (
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// caller is whom an answer of the protocol is for: a request of another
// member, one key of such a request, or a call on this node. The zero caller
// has given up.
type caller struct {
	conn  *wire.Conn // a request of another member
	id    uint32     // its number on the connection
	local *localCall // a call on this node
	many  *manyCall  // one key of several
	at    int        // which one
}

// calls are a part's open calls by their number, which is a place in the list
// and how often it was used before: a late answer finds nobody. The part's lock
// guards it.
type calls struct {
	list []openCall
	free []uint32
}

type openCall struct {
	caller caller
	used   uint32
}

// add returns a number for a caller.
func (c *calls) add(who caller) protocol.Call {
	var at uint32
	if n := len(c.free); n > 0 {
		at = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		at = uint32(len(c.list))
		c.list = append(c.list, openCall{})
	}
	o := &c.list[at]
	o.used++
	o.caller = who
	return protocol.Call(uint64(o.used)<<32 | uint64(at))
}

// take returns the caller of that number and forgets it.
func (c *calls) take(call protocol.Call) caller {
	at, used := uint32(call), uint32(call>>32)
	if int(at) >= len(c.list) || c.list[at].used != used || used == 0 {
		return caller{}
	}
	o := &c.list[at]
	who := o.caller
	o.caller = caller{}
	o.used++ // the number is over
	c.free = append(c.free, at)
	return who
}

// answer ends the call.
func (w caller) answer(n *Node, a *protocol.Answer, held *holding) {
	n.guard(a)
	switch {
	case w.local != nil:
		w.local.done <- *a
	case w.many != nil:
		w.many.answer(n, w.at, a)
	case w.conn != nil:
		if held != nil {
			held.add(w.conn)
		}
		n.reply(w.conn, w.id, a)
	}
}

// localCall is a call on this node that waits for its answer; done has room
// for it.
type localCall struct {
	done chan protocol.Answer
}

package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// The kinds of frames between two nodes.
const (
	kindGet wire.Kind = iota + 1
	kindSet
	kindDelete
	kindMany
	kindCopy
	kindFetch
	kindPush
	kindMembers
	kindMeet
	kindBatch // one-way: any number of the protocol's messages
	kindReach // whether a member can be reached from there
	kindPrepare
)

// pingEntry and pongEntry in a batch are what the fence rests on, see fence.go.
const (
	pingEntry = 0xfe
	pongEntry = 0xfd
)

// stateEntry in a batch is a member's record and its terms with the receiver. It stands where a message has its kind.
const stateEntry = 0xff

const (
	maxOutbox = 8 << 20 // bytes of messages that wait for one member
	maxBatch  = 1 << 20 // bytes of them in a frame
	// dialFor bounds a dial. The first ones get less: where the first packet of a
	// connection is lost TCP repeats it only after a second.
	dialFor      = 2 * time.Second
	firstDialFor = 250 * time.Millisecond
)

var errNoConnection = fmt.Errorf("cluster: no connection yet: %w", wire.ErrNotSent)

// link is the way to one other member: a connection that is kept up, and a
// bounded queue of one-way messages that go together as far as they can.
type link struct {
	n    *Node
	id   protocol.Member
	name string
	addr string
	conn atomic.Pointer[wire.Conn] // nil while there is none
	wake chan struct{}
	bulk bulk
	ctx  context.Context // ends with the link
	end  context.CancelFunc

	exchanging atomic.Bool  // an exchange of members is under way
	copiesOut  atomic.Bool  // the member is about to leave
	leavesBy   atomic.Int64 // and wants to be gone then, on the node's clock; 0 if not known
	suspected  atomic.Bool  // it refuses connections, and it is being found out why
	check      check        // for others who are refused

	mu       sync.Mutex // guards what follows
	out      []byte
	flushing bool // what was in out is being given to the connection
}

// newLink starts the goroutine that keeps the connection up. It ends with
// close, or with the node.
func (n *Node) newLink(rec record) *link {
	l := &link{n: n, id: rec.ID, name: rec.Name, addr: rec.Peer, wake: make(chan struct{}, 1)}
	l.bulk.places = make(chan struct{}, piecesAtATime)
	l.ctx, l.end = context.WithCancel(n.ctx)
	n.spawn(func(context.Context) {
		defer l.end()
		l.run(l.ctx)
	})
	return l
}

func (l *link) close() { l.end() }

// call sends a request and waits for its answer.
func (l *link) call(ctx context.Context, kind wire.Kind, body []byte, timeout time.Duration) ([]byte, error) {
	c := l.conn.Load()
	if c == nil {
		return nil, errNoConnection
	}
	l.n.counts.calls[kind].Add(1)
	return c.Call(ctx, kind, body, timeout)
}

// put queues a message. One that does not fit is left out: the protocol asks
// again for what it has not heard of.
//
// Where much waits already, contents of slots stay here: who needs them fetches
// them, at his pace. It is called with mu held, and poke is to follow.
func (l *link) put(m *protocol.Message) {
	if len(l.out) < maxOutbox {
		if len(l.out) > maxBatch {
			m = bare(m)
		}
		l.out = l.n.caches.appendMessage(l.out, m)
	} else {
		l.n.counts.dropped.Add(1)
	}
}

// putState queues this node's own record.
func (l *link) putState(rec *record, t terms) {
	l.mu.Lock()
	start := len(l.out)
	l.out = append(l.out, 0, 0, 0, 0, stateEntry)
	l.out = rec.append(l.out)
	l.out = t.append(l.out)
	binary.BigEndian.PutUint32(l.out[start:], uint32(len(l.out)-start-4))
	l.mu.Unlock()
	l.poke()
}

func (l *link) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) run(ctx context.Context) {
	wait, atMost := firstRedial, firstDialFor
	for ctx.Err() == nil {
		c, err := l.dial(ctx, atMost)
		if err != nil {
			atMost = min(2*atMost, dialFor)
			l.n.log.Debug("cluster: cannot reach member", "member", l.name, "addr", l.addr, "err", err)
			l.rest(ctx, &wait)
			continue
		}
		atMost = firstDialFor
		l.conn.Store(c)
		l.n.progress()
		l.n.pings(l)
		began := l.n.clock.now()
		l.pump(ctx, c)
		l.conn.Store(nil)
		c.Close()
		if l.n.clock.now() > began+time.Second {
			wait = firstRedial
		}
		l.rest(ctx, &wait)
	}
}

// firstRedial is the first pause before a member is dialled again; each one is
// twice as long as the one before, a second at most.
const firstRedial = 10 * time.Millisecond

func (l *link) rest(ctx context.Context, wait *time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(*wait):
	}
	*wait = min(2**wait, time.Second)
}

// dial connects, and finds out whether the one who answers is the member. If
// it is another run, the member's process is gone.
func (l *link) dial(ctx context.Context, atMost time.Duration) (*wire.Conn, error) {
	c, err := l.n.dialMember(ctx, l.id, l.addr, atMost)
	switch {
	case errors.Is(err, errReplaced):
		l.n.log.Info("cluster: another run answers under a member's address: the member is gone", "member", l.name, "addr", l.addr)
		l.n.spawn(func(context.Context) { l.n.processGone(l.id, false) }) // ends at once
	case refused(err):
		l.n.suspect(l)
	}
	return c, err
}

// pump sends what is queued until the connection ends.
func (l *link) pump(ctx context.Context, c *wire.Conn) {
	var spare []byte
	for {
		runtime.Gosched() // others may have more to put into the same frame
		l.mu.Lock()
		out := l.out
		l.out, l.flushing = spare[:0], true
		l.mu.Unlock()
		l.flush(c, out)
		l.mu.Lock()
		l.flushing = false
		l.mu.Unlock()
		if spare = out; cap(spare) > maxBatch {
			spare = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-c.Done():
			return
		case <-l.wake:
		}
	}
}

func (l *link) flush(c *wire.Conn, out []byte) {
	for len(out) > 0 {
		n := 0
		for n < len(out) {
			next := n + 4 + int(binary.BigEndian.Uint32(out[n:]))
			if n > 0 && next > maxBatch {
				break
			}
			n = next
		}
		if err := c.Send(kindBatch, out[:n]); err != nil {
			l.n.counts.dropped.Add(1)
			level := slog.LevelDebug
			if errors.Is(err, wire.ErrTooLong) { // and will be again
				level = slog.LevelError
			}
			l.n.log.Log(context.Background(), level, "cluster: messages dropped", "member", l.name, "err", err)
		}
		out = out[n:]
	}
}

// sendAll queues messages for members, those for one of them together, but for what is
// held back. It leaves nobody in them.
func (n *Node) sendAll(list []protocol.Envelope, from *wire.Conn, held *holding) {
	links := *n.members.linked.Load()
	for i := range list {
		to := list[i].To
		if to == 0 {
			continue // is sent
		}
		if held.takes(to, &list[i].Message) {
			n.counts.messages[list[i].Message.Kind].Add(1)
			held.back = n.caches.appendMessage(held.back, &list[i].Message)
			continue
		}
		l := links[to]
		if l == nil {
			n.sendBack(to, &list[i].Message, from)
			continue
		}
		l.mu.Lock()
		for j := i; j < len(list); j++ {
			if e := &list[j]; e.To == to {
				n.counts.messages[e.Message.Kind].Add(1)
				l.put(&e.Message)
				e.To = 0
			}
		}
		l.mu.Unlock()
		l.poke()
	}
}

// sendBack answers somebody of whom this node has not heard yet on the connection
// that his own message came on. What is for nobody known is left out.
func (n *Node) sendBack(to protocol.Member, m *protocol.Message, from *wire.Conn) {
	if from == nil || helloOf(from.Peer()) != to {
		return
	}
	n.counts.messages[m.Kind].Add(1)
	buf := n.buffers.take()
	*buf = n.caches.appendMessage(*buf, m)
	n.sendOn(from, to, *buf)
	n.buffers.give(buf)
}

// sendOn sends messages on a connection.
func (n *Node) sendOn(c *wire.Conn, to protocol.Member, messages []byte) {
	if err := c.Send(kindBatch, messages); err != nil {
		n.counts.dropped.Add(1)
		n.log.Debug("cluster: messages dropped", "to", uint64(to), "err", err)
	}
}

// empty tells whether nothing waits to be sent.
func (l *link) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.out) == 0 && !l.flushing
}

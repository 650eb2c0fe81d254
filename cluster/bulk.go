package cluster

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// Contents of slots, which are much and in no hurry, do not stand in the way of
// calls. They have a connection of their own to each member, made when there is
// something to carry; a few pieces are under way on it at a time; and on each
// node a few of its processors at most work on them (carrier), one after another
// in small portions, so that there is always one for calls.

const (
	// piecesAtATime is how many pieces are under way between two members: one
	// travels while another is worked on.
	piecesAtATime = 2
	// bulkIdle is how long an unused connection is kept, and up to as much more.
	bulkIdle = 3 * time.Second
)

// bulk is a link's connection for contents.
type bulk struct {
	places chan struct{} // has a place for each piece under way

	mu      sync.Mutex // guards what follows
	conn    *wire.Conn // nil while there is none
	dialing *dialing   // nil while nobody dials
	users   int
	used    bool // since the last look
}

// dialing is an attempt to connect. Its result is there when done is closed.
type dialing struct {
	done chan struct{}
	err  error
}

// carry sends a request about contents and waits for its answer. It may be sent
// twice, on another connection where one breaks: that changes nothing.
func (l *link) carry(ctx context.Context, kind wire.Kind, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pieceFor)
	defer cancel()
	select {
	case l.bulk.places <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("cluster: too many contents are under way: %w: %w", wire.ErrNotSent, ctx.Err())
	}
	defer func() { <-l.bulk.places }()
	l.n.counts.calls[kind].Add(1)
	b, err := l.carryOnce(ctx, kind, body)
	if errors.Is(err, wire.ErrBroken) || errors.Is(err, wire.ErrNotSent) {
		b, err = l.carryOnce(ctx, kind, body)
	}
	return b, err
}

func (l *link) carryOnce(ctx context.Context, kind wire.Kind, body []byte) ([]byte, error) {
	c, err := l.bulkConn(ctx)
	if err != nil {
		return nil, err
	}
	defer l.bulk.done()
	return c.Call(ctx, kind, body, pieceFor)
}

// bulkConn returns the connection, which is made where there is none, and counts a
// user more.
func (l *link) bulkConn(ctx context.Context) (*wire.Conn, error) {
	b := &l.bulk
	b.mu.Lock()
	for b.conn == nil || b.conn.Err() != nil {
		d := b.dialing
		if d == nil {
			d = &dialing{done: make(chan struct{})}
			if !l.n.spawn(func(context.Context) { l.runBulk(d) }) { // ends with the connection
				b.mu.Unlock()
				return nil, errNoConnection
			}
			b.dialing = d
		}
		b.mu.Unlock()
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errNoConnection, ctx.Err())
		}
		if d.err != nil {
			return nil, fmt.Errorf("%w: %w", errNoConnection, d.err)
		}
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	b.users++
	b.used = true
	return b.conn, nil
}

func (b *bulk) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users--
}

// runBulk makes the connection and keeps it until it ends, is not needed any more,
// or the link ends.
func (l *link) runBulk(d *dialing) {
	b := &l.bulk
	c, err := l.n.dialMember(l.ctx, l.id, l.addr, dialFor)
	b.mu.Lock()
	b.conn, b.dialing, b.used = c, nil, true
	d.err = err
	b.mu.Unlock()
	close(d.done)
	if err != nil {
		return
	}
	t := time.NewTicker(bulkIdle)
	defer t.Stop()
	for b.keeps(c) {
		select {
		case <-t.C:
			continue
		case <-c.Done():
		case <-l.ctx.Done():
		}
		break
	}
	b.mu.Lock()
	if b.conn == c { // or there is another already
		b.conn = nil
	}
	b.mu.Unlock()
	c.Close()
}

// keeps tells whether the connection was used since the last look; if not, nobody
// gets it any more.
func (b *bulk) keeps(c *wire.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != c {
		return false
	}
	if b.users == 0 && !b.used {
		b.conn = nil
		return false
	}
	b.used = false
	return true
}

// inTurns brings slots to a member, or from it, in so many rows at the same time as
// pieces may be under way.
func (n *Node) inTurns(slots []int, f func([]int) error) error {
	errs := make(chan error, piecesAtATime)
	for i := range piecesAtATime {
		some := slots[len(slots)*i/piecesAtATime : len(slots)*(i+1)/piecesAtATime]
		if !n.spawn(func(context.Context) { errs <- f(some) }) { // waited for
			errs <- ErrClosed
		}
	}
	var all []error
	for range piecesAtATime {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// carrier is what a processor needs that works on contents, and the right to do
// so: a node has only some of them.
type carrier struct {
	held  []cache.Item
	items []protocol.Item
	piece []protocol.Item
	body  []byte
}

// carriers are a node's, at most half as many as it has processors, and one.
type carriers chan *carrier

func newCarriers() carriers {
	c := make(carriers, max(1, runtime.GOMAXPROCS(0)/2))
	for range cap(c) {
		c <- new(carrier)
	}
	return c
}

// pressing tells whether somebody waits for contents, so that they are worked on
// without a rest.
type pressing bool

// work lets f work with a carrier, after a rest if there is one. Who has a carrier
// works and never waits for anything.
func (n *Node) work(now pressing, f func(*carrier)) {
	if !now {
		time.Sleep(n.rests.before(n.clock.now()))
	}
	w := <-n.carriers
	began := n.clock.now()
	defer func() {
		clear(w.held)
		clear(w.items)
		clear(w.piece)
		if cap(w.body) > 2*pieceBytes {
			w.body = nil
		}
		end := n.clock.now()
		n.rests.worked(end, end-began)
		n.carriers <- w
		runtime.Gosched() // others first
	}()
	f(w)
}

// serveBulk answers a request about contents, on the connection's reader: what
// comes after it is of its kind, and waits.
func (n *Node) serveBulk(c *wire.Conn, r wire.Request, now pressing, f func(*carrier, []byte) error) {
	var err error
	n.work(now, func(w *carrier) {
		w.body = w.body[:0]
		if err = f(w, r.Body); err == nil {
			n.replyWith(c, r.ID, w.body)
		}
	})
	n.refuse(helloOf(c.Peer()), c, r.ID, err)
}

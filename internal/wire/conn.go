package wire

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Request is what the handler gets. Body is valid only until the handler
// returns.
type Request struct {
	Kind Kind
	// ID is for Conn.Reply and Conn.Fail; 0 if no reply is wanted.
	ID   uint32
	Body []byte
	// Timeout is how long the asker waits, from when it sent this; 0 for a
	// one-way message.
	Timeout time.Duration
}

// Handler takes requests of one connection, in the order in which they come.
// It runs on the connection's only reader and must not block: not in Call, not
// in a Close of this package. Reply, Fail and Send do not block.
type Handler = func(*Conn, Request)

// Conn is a connection to another node. All its methods may be called from any
// goroutine, Close from any but its handler.
type Conn struct {
	set     *settings
	handler Handler
	peer    opening // what it has said first
	sink    *sink
	ear     ear // what to read from

	born time.Time

	mu      sync.Mutex // guards what follows
	waiting calls
	due     due
	outbox
	err     error         // why it has ended, or is about to
	ended   bool          // nothing is added any longer
	closing bool          // Close was called
	drained chan struct{} // Close waits for it, if not nil

	done    chan struct{} // closed when ended
	running sync.WaitGroup
	records sync.Pool // of *call; a connection's own, for what synctest makes of channels
}

// newConn makes a connection after its handshake. It does not run yet.
func newConn(set *settings, handler Handler, e established) *Conn {
	c := &Conn{
		set: set, handler: handler, peer: e.peer, sink: newSink(e.nc, e.seal, e.tls),
		ear: ear{from: e.reader()}, done: make(chan struct{}), born: time.Now(),
	}
	c.wake = make(chan struct{}, 1)
	c.records.New = func() any { return newCall() }
	c.running.Add(2) // run's two
	if e.peer.answers {
		c.running.Add(1)
	}
	return c
}

// run reads until the connection ends. The goroutines that it starts end with
// the connection too.
func (c *Conn) run() {
	go c.writer()
	if c.peer.answers {
		go c.listen()
	}
	defer c.running.Done()
	err := c.read()
	c.end(err)
}

// Peer returns the Hello of the other side. It is not to be changed.
func (c *Conn) Peer() []byte { return c.peer.hello }

// PeerVersion returns the protocol version of the other side.
func (c *Conn) PeerVersion() Version { return c.peer.version }

// RemoteAddr returns the address of the other side.
func (c *Conn) RemoteAddr() net.Addr { return c.sink.nc.RemoteAddr() }

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended: ErrClosed if it was closed here,
// io.EOF if it was closed there. It is nil before.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		return nil
	}
	return c.err
}

// Close waits for what was queued before to be written as long as there is
// progress in lingerFor, and no longer than lingerMost; and then, where half a
// connection can be closed, for the peer to have seen it, for lingerFor.
const (
	lingerFor  = 200 * time.Millisecond
	lingerMost = 2 * time.Second
)

// Close ends the connection. What was queued before is still brought to the
// peer, unless it takes nothing for 200 ms, or not all within 2 s. Close
// returns when the handler has returned and will not be called again. It may be
// called several times, but not from the handler.
func (c *Conn) Close() {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	var drained chan struct{}
	if first && !c.ended && (c.writing || len(c.out) > 0) {
		drained = make(chan struct{})
		c.drained = drained
		if !c.writing {
			c.writing = true
			c.pass()
		}
	}
	c.mu.Unlock()
	if first {
		if drained == nil || c.linger(drained) {
			c.part()
		}
		c.end(ErrClosed)
	}
	c.running.Wait()
}

// linger waits for what is queued to be written, and tells whether it was.
func (c *Conn) linger(drained chan struct{}) bool {
	before := -1
	for range lingerMost / lingerFor {
		c.mu.Lock()
		queued := c.queued
		c.mu.Unlock()
		if queued == before {
			return false
		}
		before = queued
		t := time.NewTimer(lingerFor)
		select {
		case <-t.C:
			continue
		case <-drained:
			t.Stop()
			return true
		case <-c.done:
			t.Stop()
			return false
		}
	}
	return false
}

// part says that nothing more will come, and waits for the peer to say so too.
// If the socket were closed while something is still to be read from it, the
// peer could lose what was written last.
func (c *Conn) part() {
	half, ok := c.sink.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	t := time.NewTimer(lingerFor)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
	}
}

// end ends the connection, once. Calls that wait are answered with the reason.
func (c *Conn) end(why error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if c.closing {
		why = ErrClosed
	}
	c.ended, c.err = true, why
	waiting := c.waiting.table
	c.waiting = calls{}
	if c.due.timer != nil {
		c.due.timer.Stop()
	}
	left := c.left
	c.mu.Unlock()
	close(c.done)
	if errors.Is(why, ErrSilent) {
		abort(c.sink.nc)
	}
	c.sink.close()
	broken, unsent := fmt.Errorf("%w: %w", ErrBroken, why), notSent(why)
	for _, k := range waiting {
		if k == nil {
			continue
		}
		k.err = broken
		if k.pos >= left {
			k.err = unsent
		}
		k.done <- struct{}{}
	}
	c.report(why)
}

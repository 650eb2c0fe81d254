package wire

import (
	"fmt"
	"runtime"
)

// Frames are put behind one another into a buffer, and somebody writes it.
// While one writes the others only add, and what they added goes with the next
// system call. Whoever finds nobody writing does it, so a lone caller hands
// nothing over. But no caller and no reader ever waits for the socket: they
// write what it takes at once (sink.try), and leave the rest to the
// connection's writer, which may wait. So a peer that does not read delays
// nobody here, and two that do not read for a while do not block each other.
//
// While the reader hands requests to the handler, replies are held back until
// all that has come is handled: they leave together (cork). So do those that follow
// from what has come on another connection (Hold).

const (
	corkBytes = 32 << 10  // more than this does not wait for the reader
	spareSize = 256 << 10 // longer buffers are not kept
)

// outbox is a connection's writing side. Conn.mu guards it, except batch, which
// belongs to whoever has the right to write.
type outbox struct {
	out     []byte // frames that wait
	spare   []byte // the other buffer
	queued  int    // bytes that wait or are being written
	added   uint64 // bytes ever put into out
	left    uint64 // of these, how many may have left
	writing bool   // somebody has the right to write
	corked  bool   // the reader will write when it is through
	holds   int    // how many others will, see Hold

	rest  int    // of queued, what is in batch
	batch []byte // what is being written
	wake  chan struct{}
}

// room tells whether size more bytes may wait. One frame always may.
func (c *Conn) room(size int) error {
	switch {
	case c.ended:
		return notSent(c.err)
	case c.closing:
		return notSent(ErrClosed)
	case size-lengthSize > int(c.peer.maxFrame):
		return tooLong(size-lengthSize, int(c.peer.maxFrame))
	case c.queued > 0 && c.queued+size > c.set.MaxQueue:
		return fmt.Errorf("%w: %d bytes wait to be written, and %d more are over the limit of %d", ErrOverloaded, c.queued, size, c.set.MaxQueue)
	}
	return nil
}

// appended notes what was put into out, and tells whether the caller is to
// write: it must call flush then, after unlocking mu.
func (c *Conn) appended(size int) bool {
	c.queued += size
	c.added += uint64(size)
	if c.writing || (c.corked || c.holds > 0) && len(c.out) < corkBytes {
		return false
	}
	c.writing = true
	return true
}

// put queues one frame that is not a request.
func (c *Conn) put(id uint32, typ, kind byte, body []byte) error {
	size := headSize + len(body)
	c.mu.Lock()
	if err := c.room(size); err != nil {
		c.mu.Unlock()
		return err
	}
	c.out = appendFrame(c.out, id, typ, kind, body)
	write := c.appended(size)
	c.mu.Unlock()
	if write {
		c.flush(true)
	}
	return nil
}

// flush writes once, without waiting. The caller has the right to write, and is
// rid of it after.
func (c *Conn) flush(yield bool) {
	if yield {
		runtime.Gosched() // others may have more for the same system call
	}
	if !c.next() {
		return
	}
	done, err := c.sink.try()
	if err != nil {
		c.end(fmt.Errorf("wire: writing: %w", err))
		return
	}
	if !done || c.next() {
		c.pass()
	}
}

// pass gives the right to write to the writer. There is one right, and room
// for one.
func (c *Conn) pass() { c.wake <- struct{}{} }

// writer writes what others leave to it. It ends with the connection.
func (c *Conn) writer() {
	defer c.running.Done()
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		for {
			done, err := c.sink.write(c.set.WriteTimeout)
			if err != nil {
				c.end(fmt.Errorf("wire: writing: %w", err))
				return
			}
			if !done {
				c.progress()
				continue
			}
			runtime.Gosched()
			if !c.next() {
				break
			}
		}
	}
}

// next makes what waits the next batch; the last one is written. Where nothing
// waits it gives the right to write back and returns false.
func (c *Conn) next() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued -= c.rest
	c.rest = 0
	if c.spare == nil && cap(c.batch) <= spareSize {
		c.spare = c.batch[:0]
	}
	c.batch = nil
	if len(c.out) == 0 || c.ended {
		c.writing = false
		if c.drained != nil {
			close(c.drained)
			c.drained = nil
		}
		return false
	}
	c.batch, c.out, c.spare = c.out, c.spare, nil
	c.left, c.rest = c.added, len(c.batch)
	c.sink.load(c.batch)
	return true
}

// progress makes room for what is written of a long batch.
func (c *Conn) progress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.sink.left()
	c.queued -= c.rest - left
	c.rest = left
}

// cork holds replies back until uncork.
func (c *Conn) cork() {
	c.mu.Lock()
	c.corked = true
	c.mu.Unlock()
}

func (c *Conn) uncork() {
	c.mu.Lock()
	c.corked = false
	c.release()
}

// Hold holds back what is put into the connection, so that it leaves together, until
// Release, which has to follow soon. It is for who answers many requests at once.
func (c *Conn) Hold() {
	c.mu.Lock()
	c.holds++
	c.mu.Unlock()
}

// Release ends a Hold.
func (c *Conn) Release() {
	c.mu.Lock()
	c.holds--
	c.release()
}

// release writes what was held back, unless the reader is about to. Others who hold
// may follow one another without end, so nobody waits for them. It unlocks mu.
func (c *Conn) release() {
	write := len(c.out) > 0 && !c.writing && !c.ended && !c.corked
	if write {
		c.writing = true
	}
	c.mu.Unlock()
	if write {
		c.flush(false)
	}
}

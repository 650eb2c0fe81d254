package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Call sends a request and waits for its reply, for timeout at most, or until
// ctx ends. The lesser of timeout and ctx's deadline travels with the request.
// Body is free again when Call returns; the reply is the caller's own.
//
// Errors: ErrNotSent (ErrOverloaded among them) if no byte has left, ErrTooLong,
// *RemoteError if the other side refused, ErrTimeout or ctx's error if there
// was no reply in time, ErrBroken if the connection ended; after the last two
// the request may have been carried out.
func (c *Conn) Call(ctx context.Context, kind Kind, body []byte, timeout time.Duration) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, notSent(err)
	}
	if d, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(d))
	}
	if timeout <= 0 {
		return nil, notSent(ErrTimeout)
	}
	size := headSize + timeoutSize + len(body)
	k := c.records.Get().(*call)
	now := c.now()
	k.over = now + timeout
	c.mu.Lock()
	err := c.room(size)
	if err == nil && c.waiting.count >= c.set.MaxCalls {
		err = fmt.Errorf("%w: %d calls are under way", ErrOverloaded, c.waiting.count)
	}
	if err != nil {
		c.mu.Unlock()
		c.records.Put(k)
		return nil, err
	}
	if c.set.Faults.sameNumbers() {
		c.waiting.last = 0
	}
	c.waiting.add(k)
	k.pos = c.added
	c.expect(k.over, now)
	c.out = appendRequest(c.out, k.id, kind, timeout, body)
	write := c.appended(size)
	c.mu.Unlock()
	if write {
		c.flush(true)
	}
	if gone := ctx.Done(); gone == nil { // cheaper than a select
		<-k.done
	} else {
		select {
		case <-k.done:
		case <-gone:
			if c.forget(k) {
				return nil, fmt.Errorf("wire: call not answered: %w", ctx.Err())
			}
			<-k.done // whoever took it out is about to send
		}
	}
	reply, err := k.body, k.err
	k.body, k.err = nil, nil
	c.records.Put(k)
	return reply, err
}

// forget gives up a call, unless somebody is about to end it.
func (c *Conn) forget(k *call) bool {
	c.mu.Lock()
	mine := c.waiting.take(k.id) == k
	c.mu.Unlock()
	if mine {
		c.records.Put(k)
	}
	return mine
}

// Send sends a one-way message. Body is free again when it returns. It does
// not wait; whether the message arrives is not told.
func (c *Conn) Send(kind Kind, body []byte) error {
	return c.put(0, typeOneWay, byte(kind), body)
}

// Reply answers a request. Body is free again when it returns. It does not
// wait for the peer. A reply that is longer than the asker takes is refused
// with ErrTooLong, and the asker is told so in its place.
func (c *Conn) Reply(id uint32, body []byte) error {
	if id == 0 {
		return errOneWay
	}
	err := c.put(id, typeReply, 0, body)
	if errors.Is(err, ErrTooLong) {
		_ = c.Fail(id, CodeTooLong, err.Error()) // err is what counts
	}
	return err
}

// Fail answers a request with a *RemoteError. Of a long message the beginning
// is sent. Codes from 240 on are this package's own.
func (c *Conn) Fail(id uint32, code byte, message string) error {
	if id == 0 {
		return errOneWay
	}
	return c.put(id, typeFailure, code, []byte(strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")))
}

var errOneWay = errors.New("wire: a one-way message has no reply")

package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
)

const (
	firstRead = 4 << 10
	fullRead  = 64 << 10 // a buffer that busy connections come to have
)

// inbox is what has come and is not handled yet. It belongs to the reader.
type inbox struct {
	buf  []byte
	r, w int  // buf[r:w] is to be handled
	big  bool // a frame longer than fullRead came since the last shrink
}

// read handles frames until the connection ends, and returns why.
func (c *Conn) read() error {
	in := inbox{buf: make([]byte, firstRead)}
	corked := false
	for {
		f, size, err := parseFrame(in.buf[in.r:in.w], c.set.MaxFrame)
		if err != nil {
			return err
		}
		if size == 0 {
			if corked {
				corked = false
				c.uncork()
			}
			if err := c.more(&in); err != nil {
				return err
			}
			continue
		}
		if !corked && (f.typ == typeRequest || f.typ == typeOneWay) {
			corked = true
			c.cork()
		}
		c.handle(&f)
		in.r += size
		in.big = in.big || size > fullRead
	}
}

// handle brings one frame to whom it is for.
func (c *Conn) handle(f *frame) {
	switch f.typ {
	case typeReply:
		c.deliver(f.id, append(make([]byte, 0, len(f.body)), f.body...), nil)
	case typeKeepAlive:
		_ = c.put(0, typeAlive, 0, nil) // where it does not fit, the peer hears what is in its way
	case typeAlive:
	case typeFailure:
		c.deliver(f.id, nil, &RemoteError{Code: f.kind, Message: string(f.body)})
	default:
		if !c.set.known[f.kind] || c.handler == nil {
			c.refuse(f)
			return
		}
		c.handler(c, Request{Kind: Kind(f.kind), ID: f.id, Body: f.body, Timeout: f.timeout})
	}
}

// refuse answers a request of an unknown kind.
func (c *Conn) refuse(f *frame) {
	c.set.log.warn(aboutConns, "wire: request of an unknown kind", "kind", f.kind, "peer", c.RemoteAddr().String(), "version", c.peer.version.String())
	if f.id != 0 {
		_ = c.Fail(f.id, CodeUnknownKind, fmt.Sprintf("kind %d is not known here", f.kind)) // refused, and the asker has its timeout
	}
}

// more reads what comes next. The buffer grows only when it was filled, so a
// peer that announces much and sends little costs little.
func (c *Conn) more(in *inbox) error {
	rest := in.buf[in.r:in.w]
	need := frameSize(rest)
	if need > fullRead && len(rest) >= headSize && rest[8] == typeReply {
		return c.readLong(in, need)
	}
	switch {
	case len(rest) == 0:
		in.r, in.w = 0, 0
		if len(in.buf) > fullRead && !in.big {
			in.buf = make([]byte, fullRead)
		}
		in.big = false
	case len(rest) == len(in.buf):
		next := make([]byte, max(2*len(in.buf), min(need, fullRead)))
		copy(next, rest)
		in.buf = next
		in.r, in.w = 0, len(rest)
	case in.r > 0 && (need > len(in.buf)-in.r || in.w == len(in.buf)):
		copy(in.buf, rest)
		in.r, in.w = 0, len(rest)
	}
	n, err := c.ear.Read(in.buf[in.w:])
	in.w += n
	if n > 0 {
		if in.w == len(in.buf) && len(in.buf) < fullRead && in.r == 0 {
			next := make([]byte, min(4*len(in.buf), fullRead))
			copy(next, in.buf)
			in.buf = next
		}
		return nil // an error comes again
	}
	if err == nil {
		return nil
	}
	if len(rest) > 0 && errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ended inside a frame, after %d of %d bytes", ErrProtocol, len(rest), max(need, lengthSize))
	}
	return fmt.Errorf("wire: reading: %w", err)
}

// readLong reads a long reply straight to where its caller gets it.
func (c *Conn) readLong(in *inbox, size int) error {
	f, _, _ := parseFrame(in.buf[in.r:in.w], c.set.MaxFrame)
	c.mu.Lock()
	wanted := c.waiting.has(f.id)
	c.mu.Unlock()
	rest := in.buf[in.r+headSize : in.w]
	left := size - headSize - len(rest)
	in.r, in.w = 0, 0
	if !wanted {
		if _, err := io.CopyN(io.Discard, &c.ear, int64(left)); err != nil {
			return fmt.Errorf("%w: it ended inside a frame: %w", ErrProtocol, err)
		}
		return nil
	}
	body := make([]byte, size-headSize)
	n := copy(body, rest)
	if _, err := io.ReadFull(&c.ear, body[n:]); err != nil {
		return fmt.Errorf("%w: it ended inside a frame: %w", ErrProtocol, err)
	}
	c.deliver(f.id, body, nil)
	return nil
}

// deliver gives a reply to its caller, if that still waits.
func (c *Conn) deliver(id uint32, body []byte, err error) {
	c.mu.Lock()
	k := c.waiting.take(id)
	c.mu.Unlock()
	if k == nil {
		return
	}
	k.body, k.err = body, err
	k.done <- struct{}{}
}

// report logs why a connection has ended.
func (c *Conn) report(why error) {
	switch {
	case errors.Is(why, ErrProtocol), errors.Is(why, ErrTooLong):
		c.set.log.warn(aboutConns, "wire: connection ended by what the peer sent", "peer", c.RemoteAddr().String(), "err", why)
	case errors.Is(why, ErrClosed), errors.Is(why, io.EOF), errors.Is(why, net.ErrClosed):
		c.set.log.debug("wire: connection closed", "peer", c.RemoteAddr().String(), "err", why)
	default:
		c.set.log.warn(aboutConns, "wire: connection lost", "peer", c.RemoteAddr().String(), "err", why)
	}
}

package wire

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// A way can go dead without a word: a host has lost its power, a cut swallows
// everything, a firewall on the way has forgotten the connection. TCP goes on
// for minutes then, and after a cut its next attempt may be two minutes off. So
// each side listens for itself. Where nothing has come for a quarter of
// Config.MaxSilence it sends a keep-alive, which the peer's reader answers at
// once, unless its handler is at work; and where nothing comes after that either the
// connection ends. That is MaxSilence after the last byte, and up to a quarter
// more.
//
// Quarters are counted, not time, and one counts only
//
//   - if this side has listened all the time, and not worked in the handler;
//   - if the keep-alive has left: behind much that a slow way takes bit by bit it
//     waits like any frame;
//   - if it was no longer than it should be. A process that was stopped finds what
//     came meanwhile before it takes its peer for silent, and where there is no
//     processor for the one there may be none for the other. This is believed for
//     so long only.

const (
	// quarters of MaxSilence without a byte are its end. In the first of them
	// nothing need have been asked yet.
	quarters = 4
	// busyFor is how many times MaxSilence want of processors may excuse.
	busyFor = 5
	// lateBy is what part of a quarter more says that there is such a want.
	lateBy = 8
)

// ear is what a connection is read through. It notes when something has come.
type ear struct {
	from io.Reader
	// turns is odd while the reader waits for bytes.
	turns atomic.Uint64
}

// Read implements io.Reader.
func (e *ear) Read(b []byte) (int, error) {
	e.turns.Add(1)
	n, err := e.from.Read(b)
	e.turns.Add(1)
	return n, err
}

// listen ends the connection when the peer is silent. It ends with the
// connection.
func (c *Conn) listen() {
	defer c.running.Done()
	quarter := c.set.MaxSilence / quarters
	t := time.NewTimer(quarter)
	defer t.Stop()
	var s silence
	for begin := time.Now(); ; begin = time.Now() {
		select {
		case <-c.done:
			return
		case <-t.C:
		}
		late := time.Since(begin) > quarter+quarter/lateBy
		if turns := c.ear.turns.Load(); turns != s.turns || turns%2 == 0 {
			s = silence{turns: turns}
		} else if c.deepens(&s, late); s.quarters >= quarters {
			c.end(ErrSilent)
			return
		}
		t.Reset(quarter)
	}
}

// silence is how long nothing has come.
type silence struct {
	turns    uint64 // the ear's, since when
	quarters int    // that count
	all      int    // and those that do not
	asked    uint64 // where the keep-alive ends among all bytes of the connection; 0: there is none yet
	left     uint64 // how many have left
}

// deepens counts a quarter in which nothing has come, if it is the peer's fault, and
// asks for a sign.
func (c *Conn) deepens(s *silence, late bool) {
	s.all++
	c.mu.Lock()
	left := c.added - uint64(c.queued)
	c.mu.Unlock()
	moved := left != s.left
	s.left = left
	if moved && left < s.asked {
		return
	}
	if s.asked == 0 {
		if c.put(0, typeKeepAlive, 0, nil) == nil {
			c.mu.Lock()
			s.asked = c.added
			c.mu.Unlock()
		} else if moved {
			return // there is no room for it yet, but there will be
		}
	}
	if !late || s.all > busyFor*quarters {
		s.quarters++
	}
}

// abort closes a connection of which the peer will not hear any more: what is on
// its way to it is taken back, as far as that can be.
func abort(nc net.Conn) {
	if l, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0) // if not, it is brought out later or never
	}
}

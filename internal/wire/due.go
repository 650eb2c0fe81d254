package wire

import (
	"fmt"
	"time"
)

// Calls have deadlines, and nearly all are answered long before. A timer for each
// would cost as much as the rest of a call; so a connection has one for all, set to
// the earliest.

// dueApart is how far apart calls are ended at least: of many with different
// deadlines some are told as much later.
const dueApart = time.Millisecond

var errLate = fmt.Errorf("wire: call not answered: %w", ErrTimeout)

// due is when the timer goes off next. Conn.mu guards it.
type due struct {
	timer *time.Timer   // nil before the first call
	at    time.Duration // on the connection's clock; 0: it is not set
}

// now is the time on the connection's own clock.
func (c *Conn) now() time.Duration { return time.Since(c.born) }

// expect sets the timer for a call that is to be over then. It is called with mu
// held.
func (c *Conn) expect(over, now time.Duration) {
	d := &c.due
	if d.at != 0 && d.at <= over {
		return
	}
	d.at = over
	if d.timer == nil {
		d.timer = time.AfterFunc(over-now, c.overdue)
		return
	}
	d.timer.Reset(over - now)
}

// overdue ends the calls whose time is over.
func (c *Conn) overdue() {
	var late []*call
	c.mu.Lock()
	now, next := c.now(), time.Duration(0)
	for _, k := range c.waiting.table {
		switch {
		case k == nil:
		case k.over <= now:
			late = append(late, k)
		case next == 0 || k.over < next:
			next = k.over
		}
	}
	for _, k := range late {
		c.waiting.take(k.id)
	}
	c.due.at = 0
	if len(late) > 0 {
		next = max(next, now+dueApart)
	}
	if c.waiting.count > 0 {
		c.expect(next, now)
	}
	c.mu.Unlock()
	for _, k := range late {
		k.err = errLate
		k.done <- struct{}{}
	}
}

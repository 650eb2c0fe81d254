package wire

import "time"

// call is a request that waits for its reply. Whoever takes it out of the table
// has the duty to send on done, once; done has room for it.
type call struct {
	id   uint32
	pos  uint64 // where its frame begins among all bytes of the connection
	done chan struct{}
	over time.Duration // when its time is over, on the connection's clock

	body []byte // these two are written before the send on done
	err  error
}

func newCall() *call { return &call{done: make(chan struct{}, 1)} }

// calls are the calls under way on one connection, in a table in which a
// number has its place by its lower bits. Numbers go up, and one that would
// fall on an occupied place is left out, so a number comes back after 2^32
// calls only: a late reply finds nobody. Conn.mu guards it.
type calls struct {
	table []*call // its length is a power of two, twice count at least
	count int
	last  uint32
}

// add gives a call its number.
func (t *calls) add(c *call) {
	if 2*t.count >= len(t.table) {
		t.grow()
	}
	mask := uint32(len(t.table) - 1)
	for {
		t.last++
		if at := &t.table[t.last&mask]; *at == nil && t.last != 0 {
			*at = c
			break
		}
	}
	c.id = t.last
	t.count++
}

// grow doubles the table. Numbers that differ in their lower bits do so in one
// bit more, so nothing collides.
func (t *calls) grow() {
	next := make([]*call, max(2*len(t.table), 32))
	for _, c := range t.table {
		if c != nil {
			next[int(c.id)&(len(next)-1)] = c
		}
	}
	t.table = next
}

func (t *calls) has(id uint32) bool {
	if len(t.table) == 0 {
		return false
	}
	c := t.table[int(id)&(len(t.table)-1)]
	return c != nil && c.id == id
}

// take takes a call out; nil if there is none of that number.
func (t *calls) take(id uint32) *call {
	if !t.has(id) {
		return nil
	}
	at := &t.table[int(id)&(len(t.table)-1)]
	c := *at
	*at = nil
	t.count--
	return c
}

package protocol

import "sync/atomic"

// Allowance bounds how many of something, or how many bytes of it, all slots of a
// node have together. A
// nil one bounds nothing. It is safe for concurrent use.
type Allowance struct {
	most int64
	used atomic.Int64
}

// NewAllowance returns one for that many.
func NewAllowance(most int64) *Allowance { return &Allowance{most: most} }

// Used tells how many there are.
func (a *Allowance) Used() int64 {
	if a == nil {
		return 0
	}
	return a.used.Load()
}

// take takes one, if there is one left.
func (a *Allowance) take() bool {
	if a == nil {
		return true
	}
	if a.used.Add(1) > a.most {
		a.used.Add(-1)
		return false
	}
	return true
}

// full tells whether there is no more room. What begins at the same moment may
// still go beyond it.
func (a *Allowance) full() bool { return a != nil && a.used.Load() >= a.most }

// add takes as many as are needed, whether there is room or not.
func (a *Allowance) add(n int) { a.give(-n) }

// give gives some back.
func (a *Allowance) give(n int) {
	if a != nil {
		a.used.Add(-int64(n))
	}
}

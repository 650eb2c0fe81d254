package protocol

import "sync/atomic"

// Allowance bounds how many of something all slots of a node have together. A
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

// give gives some back.
func (a *Allowance) give(n int) {
	if a != nil {
		a.used.Add(-int64(n))
	}
}

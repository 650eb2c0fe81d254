package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// lateFor is how long after it was made a call that failed may still take
// effect: longer than any deadline.
const lateFor = 5 * time.Second

// register is what the cache may have of a key. One worker at a time touches it.
type register struct {
	seq  int    // of the last write; 0 is before the first
	last change // that was acknowledged, or seen
	// maybe are writes that failed and may have taken effect, or may yet.
	maybe []change
}

// change is a write or a delete; the zero one is a key that never was.
type change struct {
	seq    int
	delete bool
	at     time.Time
}

// verdict is what a read says about the cache.
type verdict int

const (
	right verdict = iota
	lost
	wrong
)

// begin returns a new change, to be given to done or failed.
func (r *register) begin(del bool) change {
	r.seq++
	return change{seq: r.seq, delete: del, at: time.Now()}
}

// done says that a change was acknowledged.
func (r *register) done(c change) {
	r.last = c
	r.forget(c.at)
}

// failed says that nobody knows whether a change took effect.
func (r *register) failed(c change) { r.maybe = append(r.maybe, c) }

// forget drops the doubtful changes that can take no effect after a moment.
func (r *register) forget(at time.Time) {
	keep := r.maybe[:0]
	for _, c := range r.maybe {
		if at.Sub(c.at) < lateFor {
			keep = append(keep, c)
		}
	}
	r.maybe = keep
}

// read judges what a read that began at a moment has found: the number of a
// change, or 0 for nothing.
func (r *register) read(found int, began time.Time) verdict {
	if found == 0 {
		if r.last.delete || r.last.seq == 0 {
			return right
		}
		for _, c := range r.maybe {
			if c.delete {
				r.last = c
				r.forget(began)
				return right
			}
		}
		r.last = change{} // so that it counts once, and to find it again is wrong
		return lost
	}
	if found == r.last.seq && !r.last.delete {
		return right
	}
	for _, c := range r.maybe {
		if c.seq == found && !c.delete {
			r.last = c
			r.forget(began)
			return right
		}
	}
	return wrong
}

// there tells whether the key must be there.
func (r *register) there() bool {
	if r.last.seq == 0 || r.last.delete {
		return false
	}
	for _, c := range r.maybe {
		if c.delete {
			return false
		}
	}
	return true
}

func keyOf(k int) string { return "key-" + strconv.Itoa(k) }

var filler = strings.Repeat("peercache ", 18)

// valueOf is unlike that of any other key or change, and some 200 bytes long.
func valueOf(k, seq int) []byte { return fmt.Appendf(nil, "%s %d %s", keyOf(k), seq, filler) }

// seqOf is the opposite.
func seqOf(k int, value []byte) (int, error) {
	rest, ok := strings.CutPrefix(string(value), keyOf(k)+" ")
	number, tail, _ := strings.Cut(rest, " ")
	seq, err := strconv.Atoi(number)
	if !ok || err != nil || seq <= 0 || tail != filler {
		return 0, fmt.Errorf("%s has the value %.60q, which nobody wrote", keyOf(k), value)
	}
	return seq, nil
}

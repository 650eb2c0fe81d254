package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// row is what came of one trial.
type row struct {
	name, faults        string
	calls               int64
	failed, lost, wrong int64
	mayFail             bool // calls to what is gone, or to a side that is cut off
	longest             time.Duration
	notes               []string
}

// table prints a row as soon as it is there, and remembers what was bad. It is
// used by one goroutine.
type table struct {
	out  io.Writer
	rows []row
}

func newTable(out io.Writer) *table {
	fmt.Fprintf(out, "\n%-34s %9s %7s %6s %6s %9s  %s\n", "trial", "calls", "failed", "lost", "wrong", "longest", "faults; what was seen")
	return &table{out: out}
}

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	seen := strings.Join(append([]string{r.faults}, r.notes...), "\n"+strings.Repeat(" ", 77))
	fmt.Fprintf(t.out, "%-34s %9d %7d %6d %6d %9s  %s\n", r.name, r.calls, r.failed, r.lost, r.wrong, r.longest.Round(100*time.Microsecond), seen)
}

// left says that a trial was left out, and why.
func (t *table) left(name, why string) { fmt.Fprintf(t.out, "%-34s left out: %s\n", name, why) }

// judge returns an error that names what was bad.
func (t *table) judge() error {
	var errs []error
	for _, r := range t.rows {
		if r.lost > 0 {
			errs = append(errs, fmt.Errorf("%s: %d entries were lost", r.name, r.lost))
		}
		if r.wrong > 0 {
			errs = append(errs, fmt.Errorf("%s: %d reads were wrong", r.name, r.wrong))
		}
		if r.failed > 0 && !r.mayFail {
			errs = append(errs, fmt.Errorf("%s: %d calls failed", r.name, r.failed))
		}
	}
	return errors.Join(errs...)
}

// finish prints the sum.
func (t *table) finish() error {
	var sum row
	for _, r := range t.rows {
		sum.calls += r.calls
		sum.failed += r.failed
		sum.lost += r.lost
		sum.wrong += r.wrong
		sum.longest = max(sum.longest, r.longest)
	}
	_, err := fmt.Fprintf(t.out, "\n%d trials, %d calls, %d failed, %d lost, %d wrong, longest %v\n",
		len(t.rows), sum.calls, sum.failed, sum.lost, sum.wrong, sum.longest.Round(100*time.Microsecond))
	return err
}

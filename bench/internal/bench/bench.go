// Package bench has the measurements, one a file, and what they have in common:
// processes that are started together, and products that take turns.
package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/report"
)

// Options say how much to measure.
type Options struct {
	Rounds int
	// Time is how long a product is measured in a round.
	Time time.Duration
	// Warm is how long it is called before that. 0: a fifth of Time.
	Warm time.Duration
	// Quick leaves out what takes long: fewer entries, fewer nodes.
	Quick bool
	// Only names the products to measure, by a part of their names. Empty: all.
	Only string
	// Backups is whether to measure with a backup of each entry.
	Backups bool
}

// Bench is one measurement.
type Bench struct {
	Name string
	// About says in a line what is measured.
	About string
	Run   func(ctx context.Context, r *Run) error
}

// All returns the measurements in the order in which they are made.
func All() []Bench {
	return []Bench{
		{"local", "a hit in the own process, 100,000 entries, Zipf", hits},
		{"ratio", "hit ratio with memory for a tenth", ratio},
		{"remote", "a get from another process", remote},
		{"set", "a set with two copies on three processes", set},
		{"delete", "a delete that all nodes have confirmed", deletes},
		{"many", "a hundred keys at once from three processes", many},
		{"sessions", "three processes of a shop, 100,000 sessions", sessions},
		{"memory", "what entries of 400 bytes take, and the collector's share", memory},
		{"growth", "messages, bytes and time by the number of nodes", growth},
		{"copy", "copying when a process joins or leaves", copying},
	}
}

// Roles are what the processes of all measurements do.
func Roles() map[string]proc.Role {
	return map[string]proc.Role{
		memberRole: newMember, localRole: newLocal, memoryRole: newMemory, growthRole: newGrowth, copyRole: newCopy,
	}
}

// Run is one measurement that is being made.
type Run struct {
	Options
	Name  string
	Group *proc.Group

	mu   sync.Mutex // guards what follows
	Rows []report.Row
	// Notes say what was left out, and how to get it.
	Notes []string
	// Failed says what went wrong.
	Failed []string
}

// Log tells a person how far it is.
func (r *Run) Log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format("15:04:05"), r.Name, fmt.Sprintf(format, args...))
}

// Note keeps a line about what was left out.
func (r *Run) Note(format string, args ...any) {
	line := r.Name + ": " + fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.Notes, line) {
		r.Notes = append(r.Notes, line)
		fmt.Fprintln(os.Stderr, line)
	}
}

// Fail keeps what went wrong with one product; the others go on.
func (r *Run) Fail(what string, err error) {
	line := fmt.Sprintf("%s: %s: %v", r.Name, what, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Failed = append(r.Failed, line)
	fmt.Fprintln(os.Stderr, "FAILED:", line)
}

// Add keeps rows.
func (r *Run) Add(rows ...report.Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		row.Bench = r.Name
		r.Rows = append(r.Rows, row)
	}
}

// wanted tells whether a product is to be measured.
func (r *Run) wanted(name string) bool {
	return r.Only == "" || strings.Contains(strings.ToLower(name), strings.ToLower(r.Only))
}

// ask asks a child, and waits for atMost.
func ask(ctx context.Context, c *proc.Child, do string, with, result any, atMost time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, fmt.Errorf("no answer within %v: %w", atMost, context.DeadlineExceeded))
	defer cancel()
	return c.Ask(ctx, do, with, result)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Package member is one process of a deployment: it opens its part of a product
// and makes calls when it is told to.
package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/product"
)

// Role is the name of what a member's process does.
const Role = "member"

// The questions that a member answers.
const (
	DoOpen    = "open"    // Open: where it is
	DoMeet    = "meet"    // where all are, in order
	DoPrepare = "prepare" // Work: nothing
	DoRun     = "run"     // Run: load.Outcome
	DoUsage   = "usage"   // product.Usage
)

// Open says what to open.
type Open struct {
	Product string            `json:"product"`
	Place   product.Place     `json:"place"`
	Others  []json.RawMessage `json:"others"`
}

// Run says what to measure, and how.
type Run struct {
	Work string    `json:"work"` // the name of a prepared Work
	Task load.Task `json:"task"`
}

type member struct {
	ctx  context.Context
	part *product.Part
	work map[string]*work
}

// New is the process's proc.Role.
func New() (map[string]proc.Handler, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{ctx: ctx, work: make(map[string]*work)}
	end := func() {
		cancel()
		if m.part != nil && m.part.Close != nil {
			m.part.Close()
		}
	}
	return map[string]proc.Handler{
		DoOpen:    proc.Handle(m.open),
		DoMeet:    proc.Handle(m.meet),
		DoPrepare: proc.Handle(m.prepare),
		DoRun:     proc.Handle(m.run),
		DoUsage:   proc.Handle(func(struct{}) (product.Usage, error) { return m.usage() }),
	}, end
}

func (m *member) open(o Open) (any, error) {
	p, err := product.Find(o.Product)
	if err != nil {
		return nil, err
	}
	if m.part, err = p.Open(m.ctx, o.Place, o.Others); err != nil {
		return nil, err
	}
	return m.part.Where, nil
}

func (m *member) meet(all []json.RawMessage) (any, error) {
	if m.part.Meet == nil {
		return nil, nil
	}
	return nil, m.part.Meet(m.ctx, all)
}

func (m *member) usage() (product.Usage, error) {
	if m.part != nil && m.part.Usage != nil {
		return m.part.Usage()
	}
	rss, err := product.RSS(os.Getpid())
	if err != nil {
		rss = 0 // only known on Linux
	}
	return product.Usage{CPU: load.CPU(), Allocs: load.Allocs(), RSS: rss}, nil
}

func (m *member) prepare(w Work) (any, error) {
	if m.part == nil {
		return nil, errors.New("not open")
	}
	made, err := newWork(m.ctx, m.part, w)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", w.Name, err)
	}
	m.work[w.Name] = made
	return nil, nil
}

func (m *member) run(r Run) (load.Outcome, error) {
	w := m.work[r.Work]
	if w == nil {
		return load.Outcome{}, fmt.Errorf("%q is not prepared", r.Work)
	}
	if w.before != nil {
		if err := w.before(); err != nil {
			return load.Outcome{}, err
		}
	}
	o, err := load.Run(m.ctx, r.Task, w.call)
	if err == nil && w.after != nil {
		w.after(&o)
	}
	return o, err
}

// each calls f for every index, 64 at a time, and returns one of the errors.
func each(n int, f func(i int) error) error {
	const atATime = 64
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards first
		first error
	)
	for w := range atATime {
		wg.Add(1)
		go func() { // ends with its share, or with its first error
			defer wg.Done()
			for i := w; i < n; i += atATime {
				if err := f(i); err != nil {
					mu.Lock()
					defer mu.Unlock()
					if first == nil {
						first = err
					}
					return
				}
			}
		}()
	}
	wg.Wait()
	return first
}

// since is a Call's answer for a call that begins now.
func since(f func() error) (time.Time, error) {
	began := time.Now()
	return began, f()
}

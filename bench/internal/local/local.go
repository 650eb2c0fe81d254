// Package local is a process that gets what its own memory has, from one of the
// caches that Go programs use.
package local

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
)

// The questions that the process answers.
const (
	DoOpen = "open" // Question: nothing
	DoRun  = "run"  // load.Task: load.Outcome without times
)

// Question says what to open.
type Question struct {
	Name    string `json:"name"`
	Entries int    `json:"entries"`
}

// store is a cache with all entries in it.
type store struct {
	get func(key string) bool
	// fresh makes everything a hit again, before it is measured.
	fresh func() error
	close func()
}

// Base is what the others are compared with.
const Base = "map + RWMutex"

var makers = []struct {
	name string
	open func(keys []string) (*store, error)
}{
	{Base, openMap},
	{"peercache, owned", openOwned},
	{"peercache, near", openNear},
	{"peercache, typed", openTyped},
	{"golang-lru Cache", openLRU},
	{"golang-lru 2Q", open2Q},
	{"golang-lru expirable", openExpirable},
	{"otter v2", openOtter},
	{"ristretto v2", openRistretto},
}

// Names lists the caches.
func Names() []string {
	var names []string
	for _, m := range makers {
		names = append(names, m.name)
	}
	return names
}

type process struct {
	store *store
	asked []string // drawn by Zipf's law
}

// New is the process's proc.Role.
func New() (map[string]proc.Handler, func()) {
	p := &process{}
	end := func() {
		if p.store != nil && p.store.close != nil {
			p.store.close()
		}
	}
	return map[string]proc.Handler{DoOpen: proc.Handle(p.open), DoRun: proc.Handle(p.run)}, end
}

func (p *process) open(q Question) (any, error) {
	for _, m := range makers {
		if m.name != q.Name {
			continue
		}
		keys := load.Keys(0, q.Entries)
		var err error
		if p.store, err = m.open(keys); err != nil {
			return nil, err
		}
		// Clones, so that no comparison of keys ends at their addresses.
		for _, i := range load.ZipfDraws(len(keys), 1<<17, 1) {
			p.asked = append(p.asked, strings.Clone(keys[i]))
		}
		return nil, nil
	}
	return nil, fmt.Errorf("local: there is no %q", q.Name)
}

// run lets goroutines get keys. Time is looked at now and then only.
func (p *process) run(t load.Task) (load.Outcome, error) {
	if p.store == nil {
		return load.Outcome{}, errors.New("local: not open")
	}
	if p.store.fresh != nil {
		if err := p.store.fresh(); err != nil {
			return load.Outcome{}, err
		}
	}
	p.loop(t.Callers, t.Warm)
	return p.loop(t.Callers, t.For), nil
}

func (p *process) loop(goroutines int, atMost time.Duration) load.Outcome {
	const between = 1 << 10
	var wg sync.WaitGroup
	var ops, missed atomic.Uint64
	cpu, allocs, start := load.CPU(), load.Allocs(), time.Now()
	for g := range goroutines {
		wg.Add(1)
		go func() { // ends when time is up
			defer wg.Done()
			i, n, m := g*7919, uint64(0), uint64(0)
			for time.Since(start) < atMost {
				for range between {
					if !p.store.get(p.asked[i%len(p.asked)]) {
						m++
					}
					i++
				}
				n += between
			}
			ops.Add(n)
			missed.Add(m)
		}()
	}
	wg.Wait()
	o := load.Outcome{Ops: ops.Load(), Took: time.Since(start), CPU: load.CPU() - cpu, Allocs: load.Allocs() - allocs}
	o.Missed = float64(missed.Load()) / float64(max(o.Ops, 1))
	return o
}

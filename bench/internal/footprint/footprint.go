// Package footprint is a process that fills a cache and tells what that takes.
package footprint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/product"
	"github.com/peercache/peercache/cluster"
)

// The questions that the process answers.
const (
	DoFill  = "fill"  // Question: Filled
	DoWrite = "write" // Writes: Collected
)

// Question says what to fill.
type Question struct {
	Name    string `json:"name"`
	Entries int    `json:"entries"`
}

// Filled is what a full cache takes.
type Filled struct {
	Entries int   `json:"entries"` // that are there
	Heap    int64 `json:"heap"`    // bytes that live because of it
	RSS     int64 `json:"rss"`     // bytes, of the process
	// Charged and Budget are what the cache believes, where it knows.
	Charged int64 `json:"charged"`
	Budget  int64 `json:"budget"`
}

// Writes says how to write.
type Writes struct {
	Rate int           `json:"rate"` // a second
	For  time.Duration `json:"for"`
}

// Collected is what writing and collecting take.
type Collected struct {
	Rate      float64 `json:"rate"`      // writes a second
	Allocated float64 `json:"allocated"` // bytes a second
	Heap      float64 `json:"heap"`      // bytes that live
	// Cycle is the processor time of one collection.
	Cycle time.Duration `json:"cycle"`
}

// Share returns the collector's share of all processors while it goes on like
// this: a collection begins when as much has been allocated as lives (GOGC=100).
func (c *Collected) Share() float64 {
	if c.Allocated == 0 {
		return 0
	}
	period := c.Heap / c.Allocated // seconds
	return c.Cycle.Seconds() / (period * float64(runtime.NumCPU()))
}

type store struct {
	set   func(key string, v []byte) error
	count func() int
	known func() (charged, budget int64) // nil: it does not know
	close func()
}

// Names of what can be filled.
const (
	Map       = "map + RWMutex"
	Peercache = "peercache"
	Full      = "peercache, budget full"
	LRU       = "golang-lru Cache"
	Otter     = "otter v2"
	Ristretto = "ristretto v2"
)

// Names lists what can be filled.
func Names() []string { return []string{Map, Peercache, Full, LRU, Otter, Ristretto} }

type process struct {
	store   *store
	entries int
}

// New is the process's proc.Role.
func New() (map[string]proc.Handler, func()) {
	p := &process{}
	end := func() {
		if p.store != nil && p.store.close != nil {
			p.store.close()
		}
	}
	return map[string]proc.Handler{DoFill: proc.Handle(p.fill), DoWrite: proc.Handle(p.write)}, end
}

func open(name string, entries int) (*store, error) {
	switch name {
	case Map:
		var mu sync.RWMutex // guards values
		values := make(map[string][]byte)
		return &store{set: func(key string, v []byte) error {
			mu.Lock()
			defer mu.Unlock()
			values[key] = v
			return nil
		}, count: func() int { return len(values) }}, nil
	case Peercache:
		return openPeercache(int64(entries) * 1000)
	case Full:
		return openPeercache(int64(entries) * 300) // less than half of what it gets
	case LRU:
		c, err := lru.New[string, []byte](entries)
		return &store{set: func(key string, v []byte) error { c.Add(key, v); return nil }, count: c.Len}, err
	case Otter:
		c, err := otter.New(&otter.Options[string, []byte]{MaximumSize: entries})
		return &store{set: func(key string, v []byte) error { c.Set(key, v); return nil }, count: c.EstimatedSize}, err
	case Ristretto:
		c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
			NumCounters: int64(10 * entries), MaxCost: int64(entries), BufferItems: 64, IgnoreInternalCost: true, Metrics: true,
		})
		if err != nil {
			return nil, err
		}
		return &store{
			set:   func(key string, v []byte) error { c.Set(key, v, 1); c.Wait(); return nil },
			count: func() int { return int(c.Metrics.KeysAdded() - c.Metrics.KeysEvicted()) }, close: c.Close,
		}, nil
	}
	return nil, fmt.Errorf("footprint: there is no %q", name)
}

func openPeercache(budget int64) (*store, error) {
	n, err := cluster.Start(context.Background(), cluster.Config{Memory: budget, Backups: -1})
	if err != nil {
		return nil, err
	}
	c, err := cluster.NewCache(n, "footprint", cluster.Options[[]byte]{})
	if err != nil {
		_ = n.Close()
		return nil, err
	}
	<-n.Active()
	return &store{
		set:   func(key string, v []byte) error { return c.Set(context.Background(), key, v) },
		count: func() int { return n.Stats().Store.Owned.Entries },
		known: func() (int64, int64) { s := n.Stats().Store; return s.Bytes, s.Budget },
		close: func() { _ = n.Close() },
	}, nil
}

func (p *process) fill(q Question) (Filled, error) {
	before := live()
	var err error
	if p.store, err = open(q.Name, q.Entries); err != nil {
		return Filled{}, err
	}
	p.entries = q.Entries
	for i := range q.Entries {
		key := load.Key(i)
		if err := p.store.set(key, load.Value(key)); err != nil {
			return Filled{}, err
		}
	}
	f := Filled{Heap: live() - before, Entries: p.store.count()}
	if p.store.known != nil {
		f.Charged, f.Budget = p.store.known()
	}
	f.RSS, _ = product.RSS(os.Getpid()) // 0 where it is not known
	return f, nil
}

// live returns the bytes on the heap that are reachable.
func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (p *process) write(w Writes) (Collected, error) {
	if p.store == nil {
		return Collected{}, errors.New("footprint: nothing is filled")
	}
	const tick = 5 * time.Millisecond
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	t := time.NewTicker(tick)
	defer t.Stop()
	start, done := time.Now(), 0
	for time.Since(start) < w.For {
		for due := int(time.Since(start).Seconds() * float64(w.Rate)); done < due; done++ {
			key := load.Key(done % p.entries)
			if err := p.store.set(key, load.Value(key)); err != nil {
				return Collected{}, err
			}
		}
		<-t.C
	}
	took := time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	c := Collected{Rate: float64(done) / took, Allocated: float64(after.TotalAlloc-before.TotalAlloc) / took}
	const cycles = 3
	used := collector()
	for range cycles {
		runtime.GC()
	}
	c.Cycle = (collector() - used) / cycles
	runtime.ReadMemStats(&after)
	c.Heap = float64(after.HeapAlloc)
	return c, nil
}

// collector returns the processor time that collections have taken.
func collector() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	return time.Duration(s[0].Value.Float64() * float64(time.Second))
}

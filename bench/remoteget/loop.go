package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/bench/internal/latency"
)

// task says how to measure.
type task struct {
	Callers int           `json:"callers"`
	For     time.Duration `json:"for"`
}

// outcome is what one run has measured.
type outcome struct {
	Ops  uint64         `json:"ops"`
	Took time.Duration  `json:"took"`
	Hist latency.Sparse `json:"hist"`
}

func (o outcome) perSecond() float64 { return float64(o.Ops) / o.Took.Seconds() }

// loop is the same for all products: callers that each get one value after the
// other, until time is up.
type loop struct {
	get  getFunc
	keys []string
}

func (l *loop) run(ctx context.Context, t task) (outcome, error) {
	if l.get == nil {
		return outcome{}, errors.New("not open")
	}
	// What comes before counts for nothing: connections are opened, buffers grow.
	if _, err := l.loop(ctx, t.Callers, t.For/5); err != nil {
		return outcome{}, err
	}
	return l.loop(ctx, t.Callers, t.For)
}

func (l *loop) loop(ctx context.Context, callers int, atMost time.Duration) (outcome, error) {
	hists := make([]latency.Histogram, callers)
	errs := make([]error, callers)
	var failed atomic.Bool
	var wg sync.WaitGroup
	start := time.Now()
	for i := range callers {
		wg.Add(1)
		go func() { // ends when time is up, or with the first error
			defer wg.Done()
			errs[i] = l.caller(ctx, i, start.Add(atMost), &hists[i], &failed)
		}()
	}
	wg.Wait()
	took := time.Since(start)
	all := &hists[0]
	for i := range hists[1:] {
		all.Merge(&hists[i+1])
	}
	return outcome{Ops: all.Total, Took: took, Hist: all.Sparse()}, errors.Join(errs...)
}

func (l *loop) caller(ctx context.Context, number int, until time.Time, h *latency.Histogram, failed *atomic.Bool) error {
	at := uint64(number)
	begin := time.Now()
	for begin.Before(until) && !failed.Load() {
		at = at*6364136223846793005 + 1442695040888963407
		key := l.keys[(at>>33)%uint64(len(l.keys))]
		v, err := l.get(ctx, key)
		if err == nil && (len(v) != valueLen || string(v[:keyLen]) != key) {
			err = fmt.Errorf("a wrong value of %d bytes", len(v))
		}
		if err != nil {
			failed.Store(true)
			return fmt.Errorf("getting %q: %w", key, err)
		}
		now := time.Now()
		h.Add(now.Sub(begin))
		begin = now
	}
	return nil
}

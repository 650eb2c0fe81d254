// Package load makes the calls that are measured: what they ask for, and how
// many callers make them for how long.
package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/peercache/peercache/bench/internal/latency"
)

// Task says how to measure.
type Task struct {
	Callers int           `json:"callers"`
	For     time.Duration `json:"for"`
	// Warm is how long calls are made before that which count for nothing:
	// connections are opened, buffers grow.
	Warm time.Duration `json:"warm"`
}

// Outcome is what one run has measured.
type Outcome struct {
	Ops    uint64        `json:"ops"`
	Took   time.Duration `json:"took"`
	CPU    time.Duration `json:"cpu"`    // of this process meanwhile
	Allocs uint64        `json:"allocs"` // of this process meanwhile
	// Missed is the share of gets that found nothing, where that is counted.
	Missed float64        `json:"missed,omitempty"`
	Hist   latency.Sparse `json:"hist"`
}

// PerSecond returns how many calls were made in a second.
func (o *Outcome) PerSecond() float64 { return float64(o.Ops) / o.Took.Seconds() }

// Call makes one call. It may make others first that do not count, and returns
// when the one that counts began. ErrEnough ends the caller.
type Call func(ctx context.Context, rnd *rand.Rand) (began time.Time, err error)

// ErrEnough says that there is nothing left to call.
var ErrEnough = errors.New("load: enough")

var errNone = errors.New("load: no call was made: there was none left to make, so -time is too long, or each took longer")

// Run lets callers make one call after the other until time is up.
func Run(ctx context.Context, t Task, call Call) (Outcome, error) {
	if t.Warm > 0 {
		if _, err := run(ctx, t.Callers, t.Warm, call); err != nil {
			return Outcome{}, err
		}
	}
	return run(ctx, t.Callers, t.For, call)
}

func run(ctx context.Context, callers int, atMost time.Duration, call Call) (Outcome, error) {
	hists := make([]latency.Histogram, callers)
	errs := make([]error, callers)
	var failed atomic.Bool
	var wg sync.WaitGroup
	cpu, allocs, start := CPU(), Allocs(), time.Now()
	for i := range callers {
		wg.Add(1)
		go func() { // ends when time is up, or with the first error
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(uint64(i), uint64(start.UnixNano())))
			for until := start.Add(atMost); !failed.Load(); {
				began, err := call(ctx, rnd)
				if err != nil {
					if !errors.Is(err, ErrEnough) {
						errs[i] = err
						failed.Store(true)
					}
					return
				}
				now := time.Now()
				hists[i].Add(now.Sub(began))
				if now.After(until) {
					return
				}
			}
		}()
	}
	wg.Wait()
	o := Outcome{Took: time.Since(start), CPU: CPU() - cpu, Allocs: Allocs() - allocs}
	all := &hists[0]
	for i := range hists[1:] {
		all.Merge(&hists[i+1])
	}
	o.Ops, o.Hist = all.Total, all.Sparse()
	for _, err := range errs { // one is enough to tell what is wrong
		if err != nil {
			return o, err
		}
	}
	if o.Ops == 0 {
		return o, errNone
	}
	return o, nil
}

// CPU returns the processor time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Allocs returns how many objects this process has allocated.
func Allocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

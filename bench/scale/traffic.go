package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/bench/internal/latency"
)

// quiet is the phase in which nobody joins or leaves.
const quiet = "quiet"

// slots is how many there are in a cluster.
const slots = 1 << 15

type trafficOptions struct {
	Workers int   `json:"workers"`
	Rate    int   `json:"rate"`  // calls a second of all workers
	Share   share `json:"share"` // entries that this process writes
	Seed    int   `json:"seed"`
}

// traffic is callers that read and write until they are stopped. Of the calls,
// seven in ten read any entry; the others write one of the process's own
// entries and read it at once.
type traffic struct {
	n     *node
	o     trafficOptions
	slot  []uint16 // of every entry
	stopC chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
	phase atomic.Pointer[phase]

	mu     sync.Mutex // guards what follows
	phases []*phase
	faults []string
	counts [faultFailed + 1]int
	slow   []slowCall
}

// phase is what was measured while something went on. Those of one name are
// one.
type phase struct {
	name string
	mu   sync.Mutex // guards what follows
	get  latency.Histogram
	set  latency.Histogram
	slot [slots]time.Duration // the longest call of each
}

// slowCall is one that took long, for whoever looks for the reason.
type slowCall struct {
	At    time.Time     `json:"at"`
	Took  time.Duration `json:"took"`
	Op    string        `json:"op"`
	Entry int           `json:"entry"`
	Slot  int           `json:"slot"`
	Phase string        `json:"phase"`
}

const (
	slowFrom = 50 * time.Millisecond
	maxSlow  = 10_000
)

func newTraffic(n *node, o trafficOptions) *traffic {
	t := &traffic{n: n, o: o, slot: make([]uint16, n.data.Entries), stopC: make(chan struct{})}
	for i := range t.slot {
		t.slot[i] = uint16(n.node.Where(cacheName, n.data.key(i)).Slot)
	}
	t.enter(quiet)
	for w := range o.Workers {
		t.wg.Add(1)
		go func() { // ends with stop
			defer t.wg.Done()
			t.worker(w)
		}()
	}
	return t
}

// enter begins a phase.
func (t *traffic) enter(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.phases, func(p *phase) bool { return p.name == name })
	if i < 0 {
		i = len(t.phases)
		t.phases = append(t.phases, &phase{name: name})
	}
	t.phase.Store(t.phases[i])
}

// worker makes its share of the calls, evenly in time. One that is late does
// not catch up by more than a tenth of a second.
func (t *traffic) worker(number int) {
	const catchUp = 100 * time.Millisecond
	rnd := rand.New(rand.NewPCG(uint64(t.o.Seed), uint64(number)))
	every := time.Duration(float64(time.Second) * float64(t.o.Workers) / float64(t.o.Rate))
	next := time.Now().Add(time.Duration(rnd.Int64N(int64(every))))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(next))
		select {
		case <-t.stopC:
			return
		case <-timer.C:
		}
		calls := 1
		if rnd.IntN(100) < 70 {
			t.get(rnd.IntN(t.n.data.Entries))
		} else {
			calls = t.write(t.own(number, rnd))
		}
		next = next.Add(time.Duration(calls) * every)
		if late := time.Now().Add(-catchUp); next.Before(late) {
			next = late
		}
	}
}

// own picks an entry that only this worker writes.
func (t *traffic) own(number int, rnd *rand.Rand) int {
	step := t.o.Share.Of * t.o.Workers
	first := t.o.Share.Index + number*t.o.Share.Of
	return first + step*rnd.IntN((t.n.data.Entries-first+step-1)/step)
}

func (t *traffic) get(i int) {
	n := t.n
	key := n.data.key(i)
	least := n.known.writes[i].Load()
	p, start := t.phase.Load(), time.Now()
	v, err := n.cache.Get(n.ctx, key)
	t.took(p, "get", i, start)
	t.note("get", i, least, v, err)
}

// write sets an entry and reads it back. It returns how many calls that were.
func (t *traffic) write(i int) int {
	n := t.n
	key, write := n.data.key(i), n.known.writes[i].Load()+1
	value := n.data.value(i, write)
	p, start := t.phase.Load(), time.Now()
	err := n.cache.Set(n.ctx, key, value)
	t.took(p, "set", i, start)
	if err != nil {
		t.fault(faultFailed, fmt.Errorf("set of entry %d: %w", i, err))
		return 1
	}
	n.known.saw(i, write)
	t.get(i)
	return 2
}

func (t *traffic) note(op string, i int, least uint64, v []byte, err error) {
	if f, err := t.n.known.judge(t.n.data, i, least, v, err); f != faultNone {
		t.fault(f, fmt.Errorf("%s of entry %d: %w", op, i, err))
	}
}

const maxFaults = 20

func (t *traffic) fault(f fault, err error) {
	if t.n.ctx.Err() != nil { // the process is ending
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[f]++
	if len(t.faults) < maxFaults {
		t.faults = append(t.faults, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.000"), t.phase.Load().name, err))
	}
}

// took counts a call. One that reaches into a phase that is not quiet belongs
// there.
func (t *traffic) took(p *phase, op string, i int, start time.Time) {
	d := time.Since(start)
	if p.name == quiet {
		p = t.phase.Load()
	}
	slot := int(t.slot[i])
	p.mu.Lock()
	if op == "set" {
		p.set.Add(d)
	} else {
		p.get.Add(d)
	}
	p.slot[slot] = max(p.slot[slot], d)
	p.mu.Unlock()
	if d < slowFrom {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.slow) < maxSlow {
		t.slow = append(t.slow, slowCall{start, d, op, i, slot, p.name})
	}
}

// trafficReport is what a process has measured.
type trafficReport struct {
	Phases []phaseReport `json:"phases"`
	Lost   int           `json:"lost"`
	Wrong  int           `json:"wrong"`
	Failed int           `json:"failed"`
	Faults []string      `json:"faults"`
	Slow   []slowCall    `json:"slow"`
}

type phaseReport struct {
	Name  string                `json:"name"`
	Get   latency.Sparse        `json:"get"`
	Set   latency.Sparse        `json:"set"`
	Slots map[int]time.Duration `json:"slots"` // the longest call of each that was called
}

// stop ends the traffic.
func (t *traffic) stop() trafficReport {
	t.once.Do(func() { close(t.stopC) })
	t.wg.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := trafficReport{
		Lost: t.counts[faultLost], Wrong: t.counts[faultWrong], Failed: t.counts[faultFailed],
		Faults: t.faults, Slow: t.slow,
	}
	for _, p := range t.phases {
		pr := phaseReport{Name: p.name, Get: p.get.Sparse(), Set: p.set.Sparse(), Slots: make(map[int]time.Duration)}
		for s, d := range p.slot {
			if d > 0 {
				pr.Slots[s] = d
			}
		}
		r.Phases = append(r.Phases, pr)
	}
	return r
}

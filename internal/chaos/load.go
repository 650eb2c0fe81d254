package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

const (
	workers    = 16
	path       = "/v1/caches/chaos"
	listLength = 500 // keys that are asked for together
)

// load is calls to a cluster, and what the cache may have of each key. Each key
// has one worker, which alone touches its register while calls go on.
type load struct {
	c     *fleet.Client
	nodes atomic.Pointer[[]*fleet.Node] // those that are called now
	sides atomic.Pointer[sides]         // instead, while the network is cut
	keys  []register

	calls, failed, lost, wrong atomic.Int64
	mu                         sync.Mutex // guards what follows
	times                      []time.Duration
	apart                      []bool          // keys whose Gets are timed apart, too
	apartTimes                 []time.Duration // of those
	failures, mistakes         []string        // the first few

	quit    chan struct{}
	running sync.WaitGroup
}

// sides are the two halves of a cluster that is cut apart. A key is called on
// the first, on the second, or on both, as its number says. Nothing is lost when
// a side does not find what only the other has, and of what both change nobody
// can say what it must be.
type sides [2][]*fleet.Node

const both = 2

func sideOf(k int) int { return k % 3 }

// of returns whom to call for a key.
func (s *sides) of(k int, rng *rand.Rand) []*fleet.Node {
	side := sideOf(k)
	if side == both {
		side = rng.IntN(2)
	}
	return s[side]
}

func newLoad(keys int) *load { return &load{c: fleet.NewClient(), keys: make([]register, keys)} }

func (l *load) use(nodes []*fleet.Node) {
	list := slices.Clone(nodes)
	l.nodes.Store(&list)
}

// fill writes every key that is not there, through all nodes.
func (l *load) fill(ctx context.Context, rng *rand.Rand) {
	var wg sync.WaitGroup
	for w := range workers {
		own := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		wg.Go(func() { // ends with its keys or ctx
			for k := w; k < len(l.keys) && ctx.Err() == nil; k += workers {
				if !l.keys[k].there() {
					l.write(ctx, own, k, false)
				}
			}
		})
	}
	wg.Wait()
}

// start makes so many calls a second until stop.
func (l *load) start(ctx context.Context, rng *rand.Rand, rate int) {
	l.quit = make(chan struct{})
	for w := range workers {
		own := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		l.running.Go(func() { // ends with stop or ctx
			beat := time.NewTicker(time.Second * workers / time.Duration(rate))
			defer beat.Stop()
			for {
				select {
				case <-beat.C:
					l.call(ctx, own, w+workers*own.IntN((len(l.keys)-w+workers-1)/workers))
				case <-l.quit:
					return
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func (l *load) stop() {
	close(l.quit)
	l.running.Wait()
}

func (l *load) call(ctx context.Context, rng *rand.Rand, k int) {
	switch dice := rng.IntN(20); {
	case dice == 0:
		l.write(ctx, rng, k, true)
	case dice < 5:
		l.write(ctx, rng, k, false)
	default:
		l.read(ctx, rng, k)
	}
}

func (l *load) write(ctx context.Context, rng *rand.Rand, k int, del bool) {
	r := &l.keys[k]
	c := r.begin(del)
	method, body := http.MethodPut, valueOf(k, c.seq)
	if del {
		method, body = http.MethodDelete, nil
	}
	if got, err := l.timed(ctx, rng, method, k, body); err != nil || got.Status != http.StatusNoContent {
		r.failed(c)
		l.fails(ctx, method, k, got, err)
		return
	}
	r.done(c)
}

func (l *load) read(ctx context.Context, rng *rand.Rand, k int) {
	began := time.Now()
	got, err := l.timed(ctx, rng, http.MethodGet, k, nil)
	switch {
	case err == nil && got.Status == http.StatusOK:
		l.judge(k, got.Body, began)
	case err == nil && got.Status == http.StatusNotFound:
		l.judge(k, nil, began)
	default:
		l.fails(ctx, http.MethodGet, k, got, err)
	}
}

func (l *load) timed(ctx context.Context, rng *rand.Rand, method string, k int, body []byte) (fleet.Reply, error) {
	nodes := *l.nodes.Load()
	if s := l.sides.Load(); s != nil {
		nodes = s.of(k, rng)
	}
	n := nodes[rng.IntN(len(nodes))]
	began := time.Now()
	r, err := l.c.Call(ctx, n, method, path+"/"+keyOf(k), body)
	took := time.Since(began)
	l.calls.Add(1)
	l.mu.Lock()
	l.times = append(l.times, took)
	if method == http.MethodGet && l.apart != nil && l.apart[k] {
		l.apartTimes = append(l.apartTimes, took)
	}
	l.mu.Unlock()
	return r, err
}

func (l *load) fails(ctx context.Context, method string, k int, got fleet.Reply, err error) {
	if ctx.Err() != nil {
		return
	}
	l.failed.Add(1)
	l.note(&l.failures, fmt.Sprintf("%s %s: %d %.120q, error %v", method, keyOf(k), got.Status, got.Body, err))
}

// judge judges what a read of k has found; nil is nothing.
func (l *load) judge(k int, value []byte, began time.Time) {
	if l.sides.Load() != nil && (value == nil || sideOf(k) == both) {
		return
	}
	before := l.keys[k]
	seq, err := 0, error(nil)
	if value != nil {
		seq, err = seqOf(k, value)
	}
	v := wrong
	if err == nil {
		v = l.keys[k].read(seq, began)
	}
	switch v {
	case lost:
		l.lost.Add(1)
	case wrong:
		l.wrong.Add(1)
	default:
		return
	}
	l.note(&l.mistakes, fmt.Sprintf("%s: found change %d, of last %+v and maybe %+v, %v", keyOf(k), seq, before.last, before.maybe, err))
}

func (l *load) note(list *[]string, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(*list) < 8 {
		*list = append(*list, time.Now().Format("15:04:05.000 ")+text)
	}
}

// check asks a node for every key, and judges. No other calls go on.
func (l *load) check(ctx context.Context, n *fleet.Node) error { return l.list(ctx, n, l.judge) }

// list asks a node for every key.
func (l *load) list(ctx context.Context, n *fleet.Node, each func(k int, value []byte, began time.Time)) error {
	for from := 0; from < len(l.keys); from += listLength {
		var keys []string
		for k := from; k < min(from+listLength, len(l.keys)); k++ {
			keys = append(keys, keyOf(k))
		}
		list, err := json.Marshal(keys)
		if err != nil {
			return err
		}
		began := time.Now()
		r, err := l.c.Want(ctx, http.StatusOK, n, http.MethodPost, path, list)
		if err != nil {
			return err
		}
		var got map[string][]byte
		if err := json.Unmarshal(r.Body, &got); err != nil {
			return fmt.Errorf("%s: POST %s: %w", n.Name, path, err)
		}
		for i, key := range keys {
			each(from+i, got[key], began)
		}
		l.calls.Add(1)
	}
	return nil
}

// adopt believes what a node says of the keys that both sides have changed.
func (l *load) adopt(ctx context.Context, n *fleet.Node) error {
	var bad error
	err := l.list(ctx, n, func(k int, value []byte, _ time.Time) {
		if sideOf(k) != both {
			return
		}
		r := &l.keys[k]
		r.last, r.maybe = change{}, nil
		if value != nil {
			seq, err := seqOf(k, value)
			r.last.seq = seq
			bad = errors.Join(bad, err)
		}
	})
	return errors.Join(err, bad)
}

// quantile returns how long the q-th part of the calls took at most.
func (l *load) quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return quantile(l.times, q)
}

// quantileApart is quantile of the Gets that are timed apart, since the last time
// it was asked for.
func (l *load) quantileApart(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := quantile(l.apartTimes, q)
	l.apartTimes = l.apartTimes[:0]
	return d
}

func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}

// fillRow puts the counts into a row.
func (l *load) fillRow(r *row) {
	r.calls, r.failed, r.lost, r.wrong = l.calls.Load(), l.failed.Load(), l.lost.Load(), l.wrong.Load()
	r.longest = max(r.longest, l.quantile(1))
	l.mu.Lock()
	defer l.mu.Unlock()
	r.notes = append(r.notes, l.mistakes...)
	said := l.failures
	if r.mayFail {
		said = said[:min(1, len(said))]
	}
	r.notes = append(r.notes, said...)
}

// until waits for a condition, looking again and again.
func until(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		done, err := ok()
		if done && err == nil {
			return time.Since(began), nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, errors.Join(fmt.Errorf("not within %v: %s", limit, what), err)
		}
	}
}

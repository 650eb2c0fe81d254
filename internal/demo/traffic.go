package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

const (
	workers     = 8
	trafficPath = "/v1/caches/traffic"
	listLength  = 1000 // keys that are asked for together
)

// traffic is many reads, writes and deletes at a time, each of which must be
// answered as it must be.
type traffic struct {
	st      *story
	nodes   atomic.Pointer[[]*fleet.Node] // those that are called now
	entries []entry                       // by key; each key has one worker, which alone touches its entry

	// patient is set while calls may be refused, which are then made again.
	patient  atomic.Bool
	calls    atomic.Int64
	repeated atomic.Int64
	slowest  atomic.Int64 // nanoseconds
	quit     chan struct{}
	running  sync.WaitGroup
	failed   chan error // the first failure
}

// entry is what the cache must have of a key.
type entry struct {
	version int
	there   bool
}

// startTraffic writes all keys and then starts the workers, which finish ends.
func (st *story) startTraffic(ctx context.Context, nodes []*fleet.Node) (*traffic, error) {
	t := &traffic{st: st, entries: make([]entry, st.keys), quit: make(chan struct{}), failed: make(chan error, 1)}
	t.nodes.Store(&nodes)
	for w := range workers {
		t.run(ctx, w, t.fill) // ends when its keys are written
	}
	t.running.Wait()
	if err := t.failure(); err != nil {
		return nil, err
	}
	t.calls.Store(0)
	t.slowest.Store(0)
	for w := range workers {
		t.run(ctx, w, t.work) // ends with finish, with ctx or with a failure
	}
	return t, nil
}

// run runs a worker in a goroutine and notes the first failure of any.
func (t *traffic) run(ctx context.Context, w int, f func(context.Context, int) error) {
	t.running.Go(func() {
		var err error
		defer func() {
			if p := recover(); p != nil { // it would end this process, but not the nodes
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			if err != nil {
				select {
				case t.failed <- err:
				default:
				}
			}
		}()
		err = f(ctx, w)
	})
}

// failure returns the first failure, if there has been one.
func (t *traffic) failure() error {
	select {
	case err := <-t.failed:
		t.failed <- err
		return err
	default:
		return nil
	}
}

func (t *traffic) fill(ctx context.Context, w int) error {
	for k := w; k < len(t.entries); k += workers {
		if err := t.write(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// work makes calls until it is to end. What it has written or deleted it reads
// at once, most often on another node.
func (t *traffic) work(ctx context.Context, w int) error {
	for {
		select {
		case <-t.quit:
			return nil
		default:
		}
		k := w + workers*rand.IntN((len(t.entries)-w+workers-1)/workers)
		var err error
		switch dice := rand.IntN(10); {
		case dice == 0:
			err = t.remove(ctx, k)
		case dice < 4:
			err = t.write(ctx, k)
		}
		if err == nil {
			err = t.read(ctx, k)
		}
		if err != nil {
			return err
		}
	}
}

func (t *traffic) write(ctx context.Context, k int) error {
	e := &t.entries[k]
	e.version++
	e.there = true
	return t.timed(func(n *fleet.Node) error { return t.st.put(ctx, n, pathOf(k), e.value(k)) })
}

func (t *traffic) remove(ctx context.Context, k int) error {
	t.entries[k].there = false
	return t.timed(func(n *fleet.Node) error {
		_, err := t.st.remove(ctx, n, pathOf(k))
		return err
	})
}

func (t *traffic) read(ctx context.Context, k int) error {
	e := t.entries[k]
	return t.timed(func(n *fleet.Node) (err error) {
		if e.there {
			_, err = t.st.get(ctx, n, pathOf(k), e.value(k))
		} else {
			_, err = t.st.miss(ctx, n, pathOf(k))
		}
		return err
	})
}

// patientFor is how long a call is made again.
const patientFor = 10 * time.Second

// timed makes a call on one of the nodes.
func (t *traffic) timed(call func(*fleet.Node) error) (err error) {
	begun := time.Now()
	for {
		patient := t.patient.Load()
		nodes := *t.nodes.Load()
		err = call(nodes[rand.IntN(len(nodes))])
		if err == nil || !patient && !t.patient.Load() || !errors.Is(err, fleet.ErrUnavailable) || time.Since(begun) > patientFor {
			break
		}
		t.repeated.Add(1)
	}
	took := int64(time.Since(begun))
	t.calls.Add(1)
	for {
		slowest := t.slowest.Load()
		if took <= slowest || t.slowest.CompareAndSwap(slowest, took) {
			return err
		}
	}
}

func keyOf(k int) string { return fmt.Sprintf("key-%d", k) }

func pathOf(k int) string { return trafficPath + "/" + keyOf(k) }

// value is unlike that of any other key or version, and some 200 bytes long.
func (e entry) value(k int) []byte {
	return fmt.Appendf(nil, "%s version %d %s", keyOf(k), e.version, strings.Repeat("peercache ", 18))
}

// use lets the calls go to those nodes from now on, and returns when none to
// another goes on any more.
func (t *traffic) use(ctx context.Context, nodes []*fleet.Node) error {
	list := append([]*fleet.Node(nil), nodes...)
	t.nodes.Store(&list)
	return t.wait(ctx, int64(max(len(t.entries)/2, 10*workers)))
}

// wait returns after so many more calls, or with a failure.
func (t *traffic) wait(ctx context.Context, calls int64) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := t.calls.Load() + calls; t.calls.Load() < end; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := t.failure(); err != nil {
			return err
		}
	}
	return nil
}

// finish ends the workers.
func (t *traffic) finish() error {
	close(t.quit)
	t.running.Wait()
	return t.failure()
}

// check asks a node for every key.
func (t *traffic) check(ctx context.Context, n *fleet.Node) (there int, err error) {
	for from := 0; from < len(t.entries); from += listLength {
		var keys []string
		for k := from; k < min(from+listLength, len(t.entries)); k++ {
			keys = append(keys, keyOf(k))
		}
		list, err := json.Marshal(keys)
		if err != nil {
			return 0, err
		}
		r, err := t.st.c.Want(ctx, http.StatusOK, n, http.MethodPost, trafficPath, list)
		if err != nil {
			return 0, err
		}
		var got map[string][]byte
		if err := json.Unmarshal(r.Body, &got); err != nil {
			return 0, fmt.Errorf("%s: POST %s: %w", n.Name, trafficPath, err)
		}
		for i, key := range keys {
			e := t.entries[from+i]
			value, found := got[key]
			if found != e.there || found && !bytes.Equal(value, e.value(from+i)) {
				return 0, fmt.Errorf("%s: %s: there %v with %.60q, want there %v with %.60q", n.Name, key, found, value, e.there, e.value(from+i))
			}
			if found {
				there++
			}
		}
		t.st.reads.Add(int64(len(keys)))
	}
	return there, nil
}

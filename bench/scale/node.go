package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/cluster"
)

const (
	cacheName = "scale"
	activeFor = time.Minute
	leaveFor  = 30 * time.Second
)

// node is a child: one node of the cluster, and the traffic that it makes.
type node struct {
	ctx    context.Context
	cancel context.CancelFunc

	data    dataset
	node    *cluster.Node
	cache   *cluster.Cache[[]byte]
	known   *known
	traffic *traffic
	files   []*os.File
}

// begin says how a node starts.
type begin struct {
	Name    string        `json:"name"`
	Join    []string      `json:"join"`
	Memory  int64         `json:"memory"`
	Near    time.Duration `json:"near"`
	Secret  string        `json:"secret"`
	Log     string        `json:"log"`     // a file, or nothing
	Profile string        `json:"profile"` // a file, or nothing
	Data    dataset       `json:"data"`
}

// moved is what a node has copied while it joined or left.
type moved struct {
	Entries uint64        `json:"entries"`
	Copying time.Duration `json:"copying"` // from the first to the last
}

// share is a part of all entries: those whose number modulo Of is Index.
type share struct {
	Index int `json:"index"`
	Of    int `json:"of"`
}

func nodeRole() (map[string]proc.Handler, func()) {
	n := &node{}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return map[string]proc.Handler{
		"start":   proc.Handle(n.start),
		"active":  proc.Handle(func(struct{}) (moved, error) { return n.active() }),
		"fill":    proc.Handle(n.fill),
		"filled":  proc.Handle(func(struct{}) (any, error) { n.known.filled(); return nil, nil }),
		"traffic": proc.Handle(n.startTraffic),
		"phase":   proc.Handle(func(name string) (any, error) { n.traffic.enter(name); return nil, nil }),
		"report":  proc.Handle(func(struct{}) (trafficReport, error) { return n.traffic.stop(), nil }),
		"verify":  proc.Handle(func(struct{}) (verdict, error) { return n.verify(), nil }),
		"stats":   proc.Handle(func(struct{}) (nodeStats, error) { return n.stats(), nil }),
		"leave":   proc.Handle(func(struct{}) (moved, error) { return n.leave() }),
	}, n.end
}

func (n *node) start(b begin) (gossip string, err error) {
	cfg := cluster.Config{Name: b.Name, Join: b.Join, Memory: b.Memory, NearTTL: b.Near, Secret: b.Secret}
	if b.Log != "" {
		f, err := n.open(b.Log)
		if err != nil {
			return "", err
		}
		cfg.Logger = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if b.Profile != "" {
		f, err := n.open(b.Profile)
		if err != nil {
			return "", err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return "", err
		}
	}
	n.data = b.Data
	n.known = newKnown(b.Data.Entries)
	if n.node, err = cluster.Start(n.ctx, cfg); err != nil {
		return "", err
	}
	if n.cache, err = cluster.NewCache(n.node, cacheName, cluster.Options[[]byte]{}); err != nil {
		return "", err
	}
	return n.node.GossipAddr(), nil
}

func (n *node) open(path string) (*os.File, error) {
	f, err := os.Create(path)
	if err == nil {
		n.files = append(n.files, f)
	}
	return f, err
}

// end is the last thing that happens in the process.
func (n *node) end() {
	n.cancel()
	if n.traffic != nil {
		n.traffic.stop()
	}
	if n.node != nil {
		_ = n.node.Close()
	}
	pprof.StopCPUProfile()
	for _, f := range n.files {
		_ = f.Close()
	}
}

func (n *node) active() (moved, error) {
	m := n.watch()
	t := time.NewTimer(activeFor)
	defer t.Stop()
	select {
	case <-n.node.Active():
		return m(), nil
	case <-t.C:
		m()
		return moved{}, fmt.Errorf("not active after %v: %w", activeFor, n.node.Ready())
	}
}

func (n *node) leave() (moved, error) {
	m := n.watch()
	ctx, cancel := context.WithTimeout(n.ctx, leaveFor)
	defer cancel()
	err := n.node.Leave(ctx)
	return m(), err
}

// watch looks how many entries are copied, and for how long, until the result
// is called.
func (n *node) watch() func() moved {
	const every = 5 * time.Millisecond
	end, done := make(chan struct{}), make(chan struct{})
	var m moved
	before := n.node.Stats().Copied
	go func() { // ends when the result is asked for
		defer close(done)
		t := time.NewTicker(every)
		defer t.Stop()
		var first, last time.Time
		for {
			if now := n.node.Stats().Copied - before; now != m.Entries {
				if last = time.Now(); m.Entries == 0 {
					first = last.Add(-every)
				}
				m.Entries, m.Copying = now, last.Sub(first)
			}
			select {
			case <-end:
				return
			case <-t.C:
			}
		}
	}()
	return func() moved {
		close(end)
		<-done
		return m
	}
}

// atATime is how many calls fill and verify have under way.
const atATime = 64

// each calls f for every entry of a share, many at a time, until one fails.
func (n *node) each(s share, f func(i int) error) error {
	ctx, cancel := context.WithCancelCause(n.ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for w := range atATime {
		wg.Add(1)
		go func() { // ends with its part of the share, or when one fails
			defer wg.Done()
			for i := s.Index + w*s.Of; i < n.data.Entries && ctx.Err() == nil; i += atATime * s.Of {
				if err := f(i); err != nil {
					cancel(fmt.Errorf("entry %d: %w", i, err))
				}
			}
		}()
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (n *node) fill(s share) (any, error) {
	return nil, n.each(s, func(i int) error { return n.cache.Set(n.ctx, n.data.key(i), n.data.value(i, 1)) })
}

// verdict is what a look at all entries has found.
type verdict struct {
	Read     int      `json:"read"`
	Lost     int      `json:"lost"`
	Wrong    int      `json:"wrong"` // of these, some may be older than they may be
	Failed   int      `json:"failed"`
	Examples []string `json:"examples"`
}

// verify reads every entry, whoever owns it.
func (n *node) verify() verdict {
	var mu sync.Mutex
	var v verdict
	_ = n.each(share{0, 1}, func(i int) error {
		fault, err := n.known.check(n.ctx, n.cache, n.data, i)
		mu.Lock()
		defer mu.Unlock()
		v.Read++
		switch fault {
		case faultNone:
			return nil
		case faultLost:
			v.Lost++
		case faultWrong:
			v.Wrong++
		case faultFailed:
			v.Failed++
		}
		if len(v.Examples) < 5 {
			v.Examples = append(v.Examples, fmt.Sprintf("entry %d: %v", i, err))
		}
		return nil
	})
	return v
}

func (n *node) startTraffic(o trafficOptions) (any, error) {
	if n.traffic != nil {
		return nil, errors.New("there is traffic already")
	}
	n.traffic = newTraffic(n, o)
	return nil, nil
}

// nodeStats are what a node holds.
type nodeStats struct {
	Slots   int    `json:"slots"`
	Members int    `json:"members"`
	Dropped uint64 `json:"dropped"`
	Peak    string `json:"peak"` // resident memory

	Messages map[string]uint64 `json:"messages"`
	Requests map[string]uint64 `json:"requests"`
}

func (n *node) stats() nodeStats {
	s := n.node.Stats()
	return nodeStats{
		Slots: s.SlotsActive, Members: s.Members, Dropped: s.Dropped, Peak: peakMemory(),
		Messages: s.Messages, Requests: s.Requests,
	}
}

// Package copying is a process with one node, that joins, is filled and leaves.
package copying

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/cluster"
)

// The questions that the process answers.
const (
	DoStart = "start" // Start: its gossip address
	DoJoin  = "join"  // Start: Moved
	DoFill  = "fill"  // Fill: nothing
	DoLeave = "leave" // nothing: Moved
)

// Start says how the node starts.
type Start struct {
	Name   string   `json:"name"`
	Join   []string `json:"join"`
	Secret string   `json:"secret"`
}

// Fill says what to write.
type Fill struct {
	Entries int `json:"entries"`
	Size    int `json:"size"` // bytes of a value
}

// Moved is what was copied while the node joined or left.
type Moved struct {
	Entries uint64        `json:"entries"`
	Copying time.Duration `json:"copying"` // from the first to the last
	All     time.Duration `json:"all"`     // until it served, or was gone
}

const (
	memory   = 2 << 30
	activeIn = time.Minute
	leaveIn  = 30 * time.Second
	every    = 2 * time.Millisecond
)

type process struct {
	node  *cluster.Node
	cache *cluster.Cache[[]byte]
}

// New is the process's proc.Role.
func New() (map[string]proc.Handler, func()) {
	p := &process{}
	end := func() {
		if p.node != nil {
			_ = p.node.Close()
		}
	}
	return map[string]proc.Handler{
		DoStart: proc.Handle(func(s Start) (string, error) {
			_, err := p.join(s)
			if err != nil {
				return "", err
			}
			return p.node.GossipAddr(), nil
		}),
		DoJoin:  proc.Handle(p.join),
		DoFill:  proc.Handle(p.fill),
		DoLeave: proc.Handle(func(struct{}) (Moved, error) { return p.leave() }),
	}, end
}

func (p *process) join(s Start) (Moved, error) {
	n, err := cluster.Start(context.Background(), cluster.Config{
		Name: s.Name, Join: s.Join, Secret: s.Secret, Memory: memory, Backups: -1,
	})
	if err != nil {
		return Moved{}, err
	}
	p.node = n
	if p.cache, err = cluster.NewCache(n, "copying", cluster.Options[[]byte]{}); err != nil {
		return Moved{}, err
	}
	moved := watch(n)
	t := time.NewTimer(activeIn)
	defer t.Stop()
	select {
	case <-n.Active():
		return moved(), nil
	case <-t.C:
		moved()
		return Moved{}, fmt.Errorf("not active after %v: %w", activeIn, n.Ready())
	}
}

func (p *process) leave() (Moved, error) {
	if p.node == nil {
		return Moved{}, errors.New("copying: no node")
	}
	moved := watch(p.node)
	ctx, cancel := context.WithTimeout(context.Background(), leaveIn)
	defer cancel()
	err := p.node.Leave(ctx)
	return moved(), err
}

// watch looks how many entries are copied, and for how long, until the result
// is called.
func watch(n *cluster.Node) func() Moved {
	end, done := make(chan struct{}), make(chan struct{})
	var m Moved
	before, start := n.Stats().Copied, time.Now()
	go func() { // ends when the result is asked for
		defer close(done)
		t := time.NewTicker(every)
		defer t.Stop()
		var first, last time.Time
		for over := false; ; {
			if now := n.Stats().Copied - before; now != m.Entries {
				if last = time.Now(); m.Entries == 0 {
					first = last.Add(-every)
				}
				m.Entries, m.Copying = now, last.Sub(first)
			}
			if over {
				return
			}
			select {
			case <-end:
				over = true // one last look
			case <-t.C:
			}
		}
	}()
	return func() Moved {
		close(end)
		<-done
		m.All = time.Since(start)
		return m
	}
}

func (p *process) fill(f Fill) (any, error) {
	if p.cache == nil {
		return nil, errors.New("copying: no node")
	}
	const writers = 32
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() { // ends with its share, or with its first error
			defer wg.Done()
			for i := w; i < f.Entries && errs[w] == nil; i += writers {
				errs[w] = p.cache.Set(context.Background(), load.Key(i), make([]byte, f.Size))
			}
		}()
	}
	wg.Wait()
	return nil, errors.Join(errs...)
}

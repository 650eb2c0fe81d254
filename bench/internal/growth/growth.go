// Package growth is a process with many nodes, which counts what they send each
// other. It has a network of its own where the system allows that, so that
// nothing else is counted.
package growth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/cluster"
)

// The questions that the process answers.
const (
	DoStart = "start" // Start: nothing
	DoJoin  = "join"  // time.Duration, its bound: Joined
	DoCost  = "cost"  // Calls: Cost
	DoIdle  = "idle"  // time.Duration: bytes a second of all nodes
)

// Start says how to start.
type Start struct {
	// Own says that the process has a network of its own.
	Own bool `json:"own"`
}

// Calls says what to call.
type Calls struct {
	Op    string  `json:"op"` // "get", "set", "delete" or "clear"
	Count int     `json:"count"`
	Idle  float64 `json:"idle"` // bytes a second that go anyway
}

// Cost is what a call costs on average. Bytes are those on the wire, headers and
// acknowledgements included.
type Cost struct {
	Messages float64       `json:"messages"`
	Bytes    float64       `json:"bytes"`
	Took     time.Duration `json:"took"`
}

// Joined is what one more node took.
type Joined struct {
	Nodes    int           `json:"nodes"`    // with it
	Serving  time.Duration `json:"serving"`  // from its start until it served its slots
	Take     time.Duration `json:"take"`     // of that, from when they were its own
	Everyone time.Duration `json:"everyone"` // until all knew it and served theirs
}

const memory = 32 << 20

type process struct {
	nodes  []*cluster.Node
	caches []*cluster.Cache[[]byte]
}

// New is the process's proc.Role.
func New() (map[string]proc.Handler, func()) {
	p := &process{}
	end := func() {
		var wg sync.WaitGroup
		for _, n := range p.nodes {
			wg.Add(1)
			go func() { // ends with Close
				defer wg.Done()
				_ = n.Close()
			}()
		}
		wg.Wait()
	}
	return map[string]proc.Handler{
		DoStart: proc.Handle(p.start),
		DoCost:  proc.Handle(p.cost),
		DoIdle:  proc.Handle(p.idle),
		DoJoin:  proc.Handle(p.join),
	}, end
}

func (p *process) start(s Start) (any, error) {
	if s.Own {
		return nil, loopbackUp()
	}
	return nil, nil
}

// add starts one more node, which joins the first.
func (p *process) add() (*cluster.Node, error) {
	cfg := cluster.Config{
		Name: fmt.Sprintf("n%d", len(p.nodes)), Memory: memory, MaxValue: 64 << 10, NearTTL: -1, Backups: -1,
	}
	if len(p.nodes) > 0 {
		cfg.Join = []string{p.nodes[0].GossipAddr()}
	}
	n, err := cluster.Start(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	p.nodes = append(p.nodes, n)
	c, err := cluster.NewCache(n, "growth", cluster.Options[[]byte]{})
	if err != nil {
		return nil, err
	}
	p.caches = append(p.caches, c)
	return n, nil
}

func (p *process) served() error {
	for _, n := range p.nodes {
		s := n.Stats()
		if s.Members != len(p.nodes) || s.SlotsOwned == 0 || s.SlotsActive != s.SlotsOwned {
			return fmt.Errorf("%s knows %d of %d members and serves %d of %d slots", s.Name, s.Members, len(p.nodes), s.SlotsActive, s.SlotsOwned)
		}
	}
	return nil
}

func (p *process) idle(wait time.Duration) (float64, error) {
	before, err := sent()
	if err != nil {
		return 0, err
	}
	time.Sleep(wait)
	after, err := sent()
	return float64(after-before) / wait.Seconds(), err
}

// cost makes calls on one node, one after the other, for keys that others own
// where there are others.
func (p *process) cost(c Calls) (Cost, error) {
	keys := p.keys(c.Count)
	cache := p.caches[0]
	ctx := context.Background()
	call := map[string]func(key string) error{
		"get": func(key string) error {
			_, err := cache.Get(ctx, key)
			if errors.Is(err, cluster.ErrNotFound) {
				err = nil
			}
			return err
		},
		"set":    func(key string) error { return cache.Set(ctx, key, load.Value(key)) },
		"delete": func(key string) error { return cache.Delete(ctx, key) },
		"clear":  func(string) error { return cache.Clear(ctx) },
	}[c.Op]
	if call == nil {
		return Cost{}, fmt.Errorf("growth: there is no %q", c.Op)
	}
	messages := p.messages()
	before, err := sent()
	if err != nil {
		return Cost{}, err
	}
	start := time.Now()
	for _, key := range keys {
		if err := call(key); err != nil {
			return Cost{}, fmt.Errorf("%s: %w", c.Op, err)
		}
	}
	took := time.Since(start)
	after, err := sent()
	n := float64(c.Count)
	return Cost{
		Messages: float64(p.messages()-messages) / n,
		Bytes:    max(float64(after-before)-c.Idle*took.Seconds(), 0) / n,
		Took:     took / time.Duration(c.Count),
	}, err
}

func (p *process) keys(count int) []string {
	var keys []string
	self := p.nodes[0]
	for i := 0; len(keys) < count; i++ {
		if k := load.Key(i); len(p.nodes) == 1 || self.Where("growth", k).Owner != self.Name() {
			keys = append(keys, k)
		}
	}
	return keys
}

// messages counts what all nodes have sent to others. Answers to requests are
// not counted.
func (p *process) messages() uint64 {
	sum := uint64(0)
	for _, n := range p.nodes {
		s := n.Stats()
		for _, c := range s.Messages {
			sum += c
		}
		for _, c := range s.Requests {
			sum += c
		}
	}
	return sum
}

// join adds a node and looks how long it takes, until within is over.
func (p *process) join(within time.Duration) (Joined, error) {
	began := time.Now()
	n, err := p.add()
	if err != nil {
		return Joined{}, err
	}
	j := Joined{Nodes: len(p.nodes)}
	var owned time.Time
	for ; time.Since(began) < within; time.Sleep(time.Millisecond) { // a measurement, not a test
		if s := n.Stats(); j.Serving == 0 && s.SlotsOwned > 0 {
			if owned.IsZero() {
				owned = time.Now()
			}
			if s.SlotsActive == s.SlotsOwned {
				j.Serving, j.Take = time.Since(began), time.Since(owned)
			}
		}
		if j.Serving > 0 && p.served() == nil {
			j.Everyone = time.Since(began)
			return j, nil
		}
	}
	return j, fmt.Errorf("with %d nodes not all serve after %v: %w", len(p.nodes), within, p.served())
}

// sent returns how many bytes the loopback interface has sent.
func sent() (uint64, error) {
	b, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if f := strings.Fields(rest); ok && name == "lo" && len(f) > 8 {
			return strconv.ParseUint(f[8], 10, 64)
		}
	}
	return 0, errors.New("growth: /proc/self/net/dev has no loopback interface")
}

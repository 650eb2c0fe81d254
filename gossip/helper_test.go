package gossip

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a node and what it was told.
type peer struct {
	*Gossip
	logs *lines

	mu       sync.Mutex // guards all below
	events   []Event
	messages []string
	states   []string
}

// start starts a node with what is not given in cfg, and closes it with t.
func start(t *testing.T, cfg Config) *peer {
	t.Helper()
	p, err := tryStart(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryStart(t *testing.T, cfg Config) (*peer, error) {
	t.Helper()
	p := &peer{logs: &lines{}}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(p.logs, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	onEvent, onMessage := cfg.OnEvent, cfg.OnMessage
	cfg.OnEvent = func(e Event) {
		p.mu.Lock()
		p.events = append(p.events, e)
		p.mu.Unlock()
		if onEvent != nil {
			onEvent(e)
		}
	}
	cfg.OnMessage = func(b []byte) {
		p.mu.Lock()
		p.messages = append(p.messages, string(b))
		p.mu.Unlock()
		if onMessage != nil {
			onMessage(b)
		}
	}
	cfg.MergeState = func(b []byte, _ bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.states = append(p.states, string(b))
	}
	g, err := Start(cfg)
	if err != nil {
		return nil, err
	}
	p.Gossip = g
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, nil
}

// starts starts n nodes on loopback that join the first one.
func starts(t *testing.T, n int) []*peer {
	t.Helper()
	all := []*peer{start(t, Config{ID: "n0"})}
	for i := 1; i < n; i++ {
		all = append(all, start(t, Config{ID: fmt.Sprint("n", i), Join: []string{all[0].Addr()}}))
	}
	meet(t, all...)
	return all
}

// simulate starts n nodes on a network in memory that join the first one.
func simulate(t *testing.T, n int) (*network, []*host, []*peer) {
	t.Helper()
	net := newNetwork()
	var hosts []*host
	var all []*peer
	for i := range n {
		hosts = append(hosts, net.host(i))
		all = append(all, start(t, Config{
			ID: fmt.Sprint("n", i), Transport: hosts[i], Join: []string{hosts[0].addr.String()},
		}))
	}
	meet(t, all...)
	return net, hosts, all
}

// meet waits until all know each other.
func meet(t *testing.T, all ...*peer) {
	t.Helper()
	until(t, "all are members", func() bool {
		for _, p := range all {
			if len(p.Members()) != len(all)-1 || len(p.all()) < len(all)-1 {
				return false
			}
		}
		return true
	})
}

// until waits for a condition, at most 20 seconds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (p *peer) all() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// of returns what p was told about id, as "joined updated left".
func (p *peer) of(id string) string {
	var kinds []string
	for _, e := range p.all() {
		if e.Member.ID == id {
			kinds = append(kinds, e.Kind.String())
		}
	}
	return strings.Join(kinds, " ")
}

func (p *peer) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.messages)
}

func (p *peer) merged() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.states)
}

func (p *peer) ids() string {
	var ids []string
	for _, m := range p.Members() {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, " ")
}

// lines collects what is logged.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func key(b byte) []byte { return bytes.Repeat([]byte{b}, keyLen) }

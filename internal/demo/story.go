package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// processes start, stop and kill nodes.
type processes interface {
	Start(ctx context.Context, name string, join []*fleet.Node) (*fleet.Node, error)
	Stop(ctx context.Context, n *fleet.Node) error
	Kill(n *fleet.Node)
}

// story plays on three nodes and believes nothing.
type story struct {
	s        *screen
	p        processes
	c        *fleet.Client
	sessions []sample
	keys     int
	nodes    []*fleet.Node // n1, n2, n3
	ttl      time.Duration // of the entry that runs out

	reads, writes, deletes atomic.Int64 // calls that were answered as they must be
}

func newStory(s *screen, p processes, sessions []sample, keys int) *story {
	return &story{s: s, p: p, c: fleet.NewClient(), sessions: sessions, keys: keys, ttl: time.Second}
}

const (
	sessionCache = "vendure-session-cache"
	sessionsPath = "/v1/sessions"
	demoPath     = "/v1/caches/demo/"
)

func (st *story) play(ctx context.Context) error {
	begun := time.Now()
	if len(st.sessions) < 3 {
		return fmt.Errorf("%d sessions are too few for the story", len(st.sessions))
	}
	for _, step := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"Three nodes start", st.begin},
		{"All sessions are written through n1", st.write},
		{"They are read through n2 and n3: from the owner, then from near copies", st.readAll},
		{"A logout on n3 is a miss everywhere, at once", st.logout},
		{"An overwrite is seen everywhere, at once", st.overwrite},
		{fmt.Sprintf("A time to live of %v runs out", st.ttl), st.expire},
		{"A clear through n2 empties all", st.clear},
		{"A node joins and another leaves while reads and writes go on", st.comeAndGo},
		{"A node is killed while reads and writes go on", st.crash},
		{"All nodes restart, one after another", st.rolling},
		{"The nodes leave", st.end},
	} {
		st.s.step(step.title)
		if err := step.play(ctx); err != nil {
			return err
		}
	}
	st.s.passed(fmt.Sprintf("OK: %d sessions, %s reads, %s writes and %s deletes on 4 nodes in %s: nothing stale, nothing lost, nothing failed",
		len(st.sessions), number(int(st.reads.Load())), number(int(st.writes.Load())), number(int(st.deletes.Load())), spoken(time.Since(begun))))
	return nil
}

// begin starts the three nodes.
func (st *story) begin(ctx context.Context) error {
	for _, name := range []string{"n1", "n2", "n3"} {
		begun := time.Now()
		n, err := st.p.Start(ctx, name, st.nodes)
		if err != nil {
			return err
		}
		st.nodes = append(st.nodes, n)
		st.s.line(name, n.URL, "gossip "+port(n.Gossip)+", peers "+port(n.Peer), time.Since(begun))
	}
	begun := time.Now()
	if err := st.c.Settle(ctx, st.nodes); err != nil {
		return err
	}
	st.s.line("", "all three are active", "each sees the other two", time.Since(begun))
	return nil
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func (st *story) write(ctx context.Context) error {
	begun := time.Now()
	for _, s := range st.sessions {
		if err := st.put(ctx, st.nodes[0], sessionsPath, s.doc); err != nil {
			return err
		}
	}
	st.s.line("n1", fmt.Sprintf("PUT %d sessions", len(st.sessions)), "204 each", time.Since(begun))
	return nil
}

func (st *story) readAll(ctx context.Context) error {
	owners := make(map[string]string)
	for _, s := range st.sessions {
		owner, err := st.c.Owner(ctx, st.nodes[0], sessionCache, s.token)
		if err != nil {
			return err
		}
		owners[s.token] = owner
	}
	for _, n := range st.nodes[1:] {
		for _, again := range []bool{false, true} {
			begun := time.Now()
			from := make(map[string]int)
			for _, s := range st.sessions {
				want := "peer " + owners[s.token]
				switch {
				case owners[s.token] == n.Name:
					want = "owned"
				case again:
					want = "near"
				}
				r, err := st.find(ctx, n, s)
				if err != nil {
					return err
				}
				if r.From != want {
					return fmt.Errorf("%s: the session of %s came from %q, want %q", n.Name, s.who, r.From, want)
				}
				from[r.From]++
			}
			did := fmt.Sprintf("GET %d sessions", len(st.sessions))
			if again {
				did += " again"
			}
			st.s.line(n.Name, did, counted(from), time.Since(begun))
		}
	}
	st.s.text("each is equal to what the shop wrote, null and absent kept apart")
	return nil
}

func counted(from map[string]int) string {
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(from)) {
		parts = append(parts, fmt.Sprintf("%d %s", from[f], f))
	}
	return strings.Join(parts, ", ")
}

// end lets all nodes leave, the last first.
func (st *story) end(ctx context.Context) error {
	for _, n := range slices.Backward(st.nodes) {
		begun := time.Now()
		if err := st.p.Stop(ctx, n); err != nil {
			return err
		}
		st.s.line(n.Name, "SIGTERM: hands over and leaves", "exit status 0", time.Since(begun))
	}
	return nil
}

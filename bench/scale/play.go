package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/report"
)

// settle is how long after a join or a leave its calls still belong to it.
const settle = time.Second

// stage is the cluster that a plan is played on.
type stage struct {
	o     options
	plan  plan
	group *proc.Group
	began time.Time
	seeds []string // gossip addresses of those that stay
	nodes map[string]*proc.Child
	moves []move
}

// move is one process that has joined or left.
type move struct {
	Phase   string        `json:"phase"`
	Name    string        `json:"name"`
	Took    time.Duration `json:"took"`
	Entries uint64        `json:"entries"`
	Copying time.Duration `json:"copying"`
}

func play(ctx context.Context, group *proc.Group, o options, p plan) error {
	s := &stage{o: o, plan: p, group: group, began: time.Now(), nodes: make(map[string]*proc.Child)}
	load := report.Load()
	for i := range p.start {
		if _, err := s.join(ctx, nodeName(i+1), i < p.stay); err != nil {
			return err
		}
	}
	if err := s.fill(ctx); err != nil {
		return err
	}
	reports, err := s.measure(ctx)
	if err != nil {
		return err
	}
	s.say("looking at every entry")
	verdicts := make([]verdict, p.stay)
	err = s.all(p.stay, func(i int, c *proc.Child) error {
		return s.ask(ctx, c, "verify", struct{}{}, &verdicts[i], 5*time.Minute)
	})
	if err != nil {
		return err
	}
	stats, err := s.stats(ctx)
	if err != nil {
		return err
	}
	r := newResult(s, reports, verdicts, stats)
	r.Load = load
	if err := errors.Join(r.print(os.Stdout), report.WriteFile(o.json, r)); err != nil {
		return err
	}
	return r.fault()
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%7.2f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

func (s *stage) ask(ctx context.Context, c *proc.Child, do string, with, result any, atMost time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, fmt.Errorf("no answer within %v", atMost))
	defer cancel()
	return c.Ask(ctx, do, with, result)
}

// all calls f for the first nodes at the same time.
func (s *stage) all(count int, f func(i int, c *proc.Child) error) error {
	errs := make([]error, count)
	var wg sync.WaitGroup
	for i := range count {
		c := s.nodes[nodeName(i+1)]
		wg.Add(1)
		go func() { // ends with f, which has a deadline
			defer wg.Done()
			errs[i] = f(i, c)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// join starts a process and waits until its node is active.
func (s *stage) join(ctx context.Context, name string, stays bool) (move, error) {
	c, err := s.group.Start("node", proc.Options{Name: name})
	if err != nil {
		return move{}, err
	}
	s.nodes[name] = c
	return s.enter(ctx, c, stays)
}

func (s *stage) enter(ctx context.Context, c *proc.Child, stays bool) (move, error) {
	b := begin{Name: c.Name(), Join: s.seeds, Memory: s.plan.memory, Near: s.o.near, Data: s.plan.data}
	if s.o.secret {
		b.Secret = "a secret for measuring only"
	}
	if s.o.logs != "" {
		b.Log = filepath.Join(s.o.logs, c.Name()+".log")
	}
	if s.o.profiles != "" {
		b.Profile = filepath.Join(s.o.profiles, c.Name()+".prof")
	}
	start := time.Now()
	gossip, m := "", moved{}
	if err := s.ask(ctx, c, "start", b, &gossip, 10*time.Second); err != nil {
		return move{}, err
	}
	if err := s.ask(ctx, c, "active", struct{}{}, &m, activeFor+10*time.Second); err != nil {
		return move{}, err
	}
	took := time.Since(start)
	if stays {
		s.seeds = append(s.seeds, gossip)
	}
	s.say("%s is active after %.0f ms; copied %d entries", c.Name(), millis(took), m.Entries)
	return move{Name: c.Name(), Took: took, Entries: m.Entries, Copying: m.Copying}, nil
}

// leave lets a node leave and ends its process.
func (s *stage) leave(ctx context.Context, c *proc.Child) (move, error) {
	start := time.Now()
	var m moved
	if err := s.ask(ctx, c, "leave", struct{}{}, &m, leaveFor+10*time.Second); err != nil {
		return move{}, err
	}
	took := time.Since(start)
	c.Stop()
	s.say("%s has left after %.0f ms; copied %d entries", c.Name(), millis(took), m.Entries)
	return move{Name: c.Name(), Took: took, Entries: m.Entries, Copying: m.Copying}, nil
}

func (s *stage) fill(ctx context.Context) error {
	n, d := s.plan.start, s.plan.data
	start := time.Now()
	err := s.all(n, func(i int, c *proc.Child) error {
		return s.ask(ctx, c, "fill", share{i, n}, nil, 5*time.Minute)
	})
	if err != nil {
		return err
	}
	took := time.Since(start).Seconds()
	s.say("filled with %d entries, %.0f MB, in %.1f s: %.0f sets/s", d.Entries, d.bytes()/1e6, took, float64(d.Entries)/took)
	return s.all(n, func(_ int, c *proc.Child) error {
		return s.ask(ctx, c, "filled", struct{}{}, nil, time.Minute)
	})
}

// measure plays the steps while those that stay make traffic.
func (s *stage) measure(ctx context.Context) ([]trafficReport, error) {
	stay := s.plan.stay
	err := s.all(stay, func(i int, c *proc.Child) error {
		o := trafficOptions{Workers: s.o.workers, Rate: max(s.o.rate/stay, 1), Share: share{i, stay}, Seed: i}
		return s.ask(ctx, c, "traffic", o, nil, time.Minute)
	})
	if err != nil {
		return nil, err
	}
	s.say("traffic begins")
	if err := s.rest(ctx, s.o.quiet); err != nil {
		return nil, err
	}
	for _, st := range s.plan.steps {
		if err := s.phase(ctx, st.String()); err != nil {
			return nil, err
		}
		if err := s.step(ctx, st); err != nil {
			return nil, err
		}
		if err := s.rest(ctx, settle); err != nil {
			return nil, err
		}
		if err := s.phase(ctx, quiet); err != nil {
			return nil, err
		}
		if err := s.rest(ctx, s.o.quiet); err != nil {
			return nil, err
		}
	}
	reports := make([]trafficReport, stay)
	return reports, s.all(stay, func(i int, c *proc.Child) error {
		return s.ask(ctx, c, "report", struct{}{}, &reports[i], time.Minute)
	})
}

func (s *stage) phase(ctx context.Context, name string) error {
	return s.all(s.plan.stay, func(_ int, c *proc.Child) error {
		return s.ask(ctx, c, "phase", name, nil, 10*time.Second)
	})
}

// step lets all its nodes join, or leave, at the same time.
func (s *stage) step(ctx context.Context, st step) error {
	names := slices.Concat(st.join, st.leave)
	moves, errs := make([]move, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		c := s.nodes[name]
		if len(st.join) > 0 {
			var err error
			if c, err = s.group.Start("node", proc.Options{Name: name}); err != nil {
				return err
			}
			s.nodes[name] = c
		}
		wg.Add(1)
		go func() { // ends with the node's answer, which has a deadline
			defer wg.Done()
			if len(st.join) > 0 {
				moves[i], errs[i] = s.enter(ctx, c, false)
			} else {
				moves[i], errs[i] = s.leave(ctx, c)
			}
		}()
	}
	wg.Wait()
	for i := range moves {
		moves[i].Phase = st.String()
	}
	s.moves = append(s.moves, moves...)
	for _, name := range st.leave {
		delete(s.nodes, name)
	}
	return errors.Join(errs...)
}

func (s *stage) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *stage) stats(ctx context.Context) (map[string]nodeStats, error) {
	all := make(map[string]nodeStats)
	for name, c := range s.nodes {
		var one nodeStats
		if err := s.ask(ctx, c, "stats", struct{}{}, &one, 10*time.Second); err != nil {
			return nil, err
		}
		all[name] = one
	}
	return all, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

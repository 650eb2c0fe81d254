package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// trial is one thing that happens to a cluster of its own.
type trial struct {
	name  string
	args  []string // of every node
	nodes int
	keys  int
	rate  int // calls a second
	split bool
	play  func(ctx context.Context, l *lab) error
}

// lab is the cluster of a trial, the calls to it, and the row that comes of it.
// It is used by one goroutine.
type lab struct {
	*load
	f     *fleet.Fleet
	tab   *table
	rng   *rand.Rand
	trial trial
	nodes []*fleet.Node
	nets  *networks // of a split
	row   row
}

func newLab(f *fleet.Fleet, tab *table, rng *rand.Rand, t trial) (*lab, error) {
	f.Args = t.args
	return &lab{load: newLoad(t.keys), f: f, tab: tab, rng: rng, trial: t, row: row{name: t.name}}, nil
}

// run plays the trial and leaves no process and no network behind.
func (l *lab) run(ctx context.Context, needSplit bool) (err error) {
	defer l.c.Close()
	defer l.f.KillAll()
	if l.trial.split {
		l.nets, err = newNetworks(ctx, l.trial.nodes)
		switch {
		case errors.Is(err, errNoNetworks) && !needSplit:
			l.tab.left(l.trial.name, err.Error())
			return nil
		case err != nil:
			return err
		}
		defer func() { err = errors.Join(err, l.nets.close()) }()
		l.f.Wrap = l.nets.wrap
	}
	for i := range l.trial.nodes {
		if err := l.add(ctx, fmt.Sprint("n", i+1)); err != nil {
			return err
		}
	}
	if err := l.c.Settle(ctx, l.nodes); err != nil {
		return err
	}
	l.use(l.nodes)
	l.fill(ctx, l.rng)
	err = l.trial.play(ctx, l)
	l.fillRow(&l.row)
	l.tab.add(l.row)
	if err != nil {
		for _, line := range l.f.Logs() {
			fmt.Fprintln(l.tab.out, line)
		}
	}
	return err
}

// add starts a node, which joins the others.
func (l *lab) add(ctx context.Context, name string) error {
	n, err := l.f.Start(ctx, name, l.nodes)
	if err == nil {
		l.nodes = append(l.nodes, n)
	}
	return err
}

// pick takes so many nodes out of the cluster, chosen at random.
func (l *lab) pick(count int) []*fleet.Node {
	l.rng.Shuffle(len(l.nodes), func(i, j int) { l.nodes[i], l.nodes[j] = l.nodes[j], l.nodes[i] })
	hit := l.nodes[:count:count]
	l.nodes = l.nodes[count:]
	return hit
}

// stats is what a trial looks at of /v1/stats.
type stats struct {
	Members  int `json:"members"`
	Active   int `json:"slots_active"`
	BackedUp int `json:"slots_backed_up"`
}

func (l *lab) statsOf(ctx context.Context, n *fleet.Node) (s stats, err error) {
	err = l.c.Read(ctx, n, "/v1/stats", &s)
	return s, err
}

const slots = 32_768

// served waits until the nodes serve all slots between them.
func (l *lab) served(ctx context.Context) (time.Duration, error) {
	return l.allSlots(ctx, "all slots are served", func(s stats) int { return s.Active })
}

// backedUp waits until every slot has all its backups.
func (l *lab) backedUp(ctx context.Context) (time.Duration, error) {
	return l.allSlots(ctx, "all slots have their backups", func(s stats) int { return s.BackedUp })
}

func (l *lab) allSlots(ctx context.Context, what string, count func(stats) int) (time.Duration, error) {
	return until(ctx, time.Minute, what, func() (bool, error) {
		sum, agreed := 0, true
		for _, n := range l.nodes {
			s, err := l.statsOf(ctx, n)
			if err != nil {
				return false, err
			}
			sum += count(s)
			agreed = agreed && s.Members == len(l.nodes)
		}
		return agreed && sum == slots, nil
	})
}

func (l *lab) notef(format string, args ...any) {
	l.row.notes = append(l.row.notes, fmt.Sprintf(format, args...))
}

// pause lets the calls go on for a while.
func (l *lab) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

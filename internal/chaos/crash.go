package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// killBackups kills as many nodes as there are backups, in one moment, right
// after the last write is acknowledged; and again as soon as every slot has its
// backups. Nothing may be lost.
func killBackups(b int) func(context.Context, *lab) error {
	return func(ctx context.Context, l *lab) error {
		l.row.faults = fmt.Sprintf("kill -9 of %d at once, twice", b)
		for round := range 2 {
			if round > 0 {
				took, err := l.backedUp(ctx)
				if err != nil {
					return err
				}
				l.notef("all backed up after %v", took.Round(time.Millisecond))
			}
			for _, n := range l.pick(b) {
				if err := n.Process.Signal(os.Kill); err != nil {
					return err
				}
			}
			took, err := l.served(ctx)
			if err != nil {
				return err
			}
			l.notef("all served after %v", took.Round(time.Millisecond))
			l.use(l.nodes)
			for _, n := range l.nodes[:2] {
				if err := l.check(ctx, n); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// killUnderLoad kills one node while calls to the others go on.
func killUnderLoad(ctx context.Context, l *lab) error {
	l.row.faults = "kill -9 under load"
	l.row.mayFail = true // calls for the keys of the one that was killed
	if _, err := l.backedUp(ctx); err != nil {
		return err
	}
	hit := l.pick(1)[0]
	key, err := l.timeOthers(ctx, hit)
	if err != nil {
		return err
	}
	l.use(l.nodes)
	l.start(ctx, l.rng, l.trial.rate)
	defer l.stopOnce()
	if err := l.pause(ctx, 3*time.Second); err != nil {
		return err
	}
	quiet := l.quantileApart(0.99)
	l.f.Kill(hit)
	killed := time.Now()
	if err := l.answered(ctx, key); err != nil {
		return err
	}
	if _, err := l.backedUp(ctx); err != nil {
		return err
	}
	l.notef("all backed up after %v", time.Since(killed).Round(time.Millisecond))
	if err := l.pause(ctx, time.Second); err != nil {
		return err
	}
	l.stopOnce()
	l.notef("p99 of Gets for others' keys %v, was %v",
		l.quantileApart(0.99).Round(10*time.Microsecond), quiet.Round(10*time.Microsecond))
	return l.checkAll(ctx)
}

// answered waits until the first node has an answer for a key of the one that was hit.
func (l *lab) answered(ctx context.Context, key string) error {
	took, err := until(ctx, 30*time.Second, "its keys are served", func() (bool, error) {
		r, err := l.c.Call(ctx, l.nodes[0], "GET", path+"/"+key, nil)
		return err == nil && (r.Status == 200 || r.Status == 404), err
	})
	if err == nil {
		l.notef("its keys served after %v", took.Round(time.Millisecond))
	}
	return err
}

// timeOthers lets the Gets be timed apart of keys that a node does not own, and
// returns one that it owns.
func (l *lab) timeOthers(ctx context.Context, n *fleet.Node) (string, error) {
	others := make([]bool, len(l.keys))
	var asking sync.WaitGroup
	var mu sync.Mutex // guards what follows
	own, failed := "", error(nil)
	for w := range workers {
		asking.Go(func() { // ends with its keys, or ctx
			for k := w; k < len(l.keys) && ctx.Err() == nil; k += workers {
				owner, err := l.c.Owner(ctx, n, "chaos", keyOf(k))
				others[k] = owner != n.Name
				if others[k] && err == nil {
					continue
				}
				mu.Lock()
				own, failed = keyOf(k), cmp.Or(failed, err)
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	if err := cmp.Or(failed, ctx.Err()); err != nil {
		return "", err
	}
	if own == "" {
		return "", fmt.Errorf("%s owns none of the keys", n.Name)
	}
	l.mu.Lock()
	l.apart = others
	l.mu.Unlock()
	return own, nil
}

// freeze stops a node as SIGSTOP does, goes on without it, and wakes it. It may
// then answer nothing that was overwritten or deleted meanwhile.
func freeze(short bool) func(context.Context, *lab) error {
	asleep := 60 * time.Second
	if short {
		asleep = 10 * time.Second
	}
	return func(ctx context.Context, l *lab) error {
		l.row.faults = fmt.Sprintf("SIGSTOP for %v", asleep)
		l.row.mayFail = true // until the others take it for dead
		if _, err := l.backedUp(ctx); err != nil {
			return err
		}
		hit := l.pick(1)[0]
		key, err := l.timeOthers(ctx, hit)
		if err != nil {
			return err
		}
		others := l.nodes
		l.use(others)
		l.start(ctx, l.rng, l.trial.rate)
		defer l.stopOnce()
		if err := l.pause(ctx, time.Second); err != nil {
			return err
		}
		if err := hit.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		stopped := time.Now()
		if err := l.answered(ctx, key); err != nil {
			return err
		}
		if _, err := l.served(ctx); err != nil {
			return err
		}
		gone := time.Since(stopped)
		l.notef("all served without it after %v", gone.Round(time.Millisecond))
		if err := l.pause(ctx, asleep-gone); err != nil {
			return err
		}
		l.nodes = append(others, hit)
		l.use(l.nodes) // those calls wait in its sockets until it wakes
		if err := l.pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		if err := hit.Process.Signal(syscall.SIGCONT); err != nil {
			return err
		}
		back, err := l.served(ctx)
		if err != nil {
			return err
		}
		l.notef("and with it %v after it woke", back.Round(time.Millisecond))
		if err := l.pause(ctx, 2*time.Second); err != nil {
			return err
		}
		l.stopOnce()
		return l.checkAll(ctx)
	}
}

// stopOnce ends the calls, if they go on.
func (l *lab) stopOnce() {
	if l.quit != nil {
		l.stop()
		l.quit = nil
	}
}

// checkAll asks every node for every key. No calls go on.
func (l *lab) checkAll(ctx context.Context) error {
	if _, err := l.served(ctx); err != nil {
		return err
	}
	for _, n := range l.nodes {
		if err := l.check(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

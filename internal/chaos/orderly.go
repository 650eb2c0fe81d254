package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// rollingRestart lets every node leave and start again, one after another,
// while calls to the others go on. Nothing may be lost and no call may fail.
func rollingRestart(ctx context.Context, l *lab) error {
	l.row.faults = fmt.Sprintf("SIGTERM and start of %d", len(l.nodes))
	l.start(ctx, l.rng, l.trial.rate)
	defer l.stopOnce()
	for range len(l.nodes) {
		n := l.nodes[0]
		l.nodes = l.nodes[1:]
		l.use(l.nodes)
		if err := l.pause(ctx, time.Second); err != nil { // until calls to it are over
			return err
		}
		if err := l.f.Stop(ctx, n); err != nil {
			return err
		}
		if err := l.add(ctx, n.Name); err != nil {
			return err
		}
		if err := l.c.Settle(ctx, l.nodes); err != nil {
			return err
		}
		l.use(l.nodes)
	}
	if err := l.pause(ctx, time.Second); err != nil {
		return err
	}
	l.stopOnce()
	l.notef("p99.9 %v", l.quantile(0.999).Round(10*time.Microsecond))
	return l.checkAll(ctx)
}

// scaleOutAndIn lets nodes join one until there are so many, and then all but one leave.
func scaleOutAndIn(most int) func(context.Context, *lab) error {
	return func(ctx context.Context, l *lab) error {
		l.row.faults = fmt.Sprintf("%d joins, %d leaves", most-1, most-1)
		l.start(ctx, l.rng, l.trial.rate)
		defer l.stopOnce()
		for i := 2; i <= most; i++ {
			if err := l.add(ctx, fmt.Sprint("n", i)); err != nil {
				return err
			}
			if err := l.c.Settle(ctx, l.nodes); err != nil {
				return err
			}
			l.use(l.nodes)
		}
		for len(l.nodes) > 1 {
			n := l.pick(1)[0]
			l.use(l.nodes)
			if err := l.pause(ctx, 500*time.Millisecond); err != nil {
				return err
			}
			if err := l.f.Stop(ctx, n); err != nil {
				return err
			}
		}
		if err := l.pause(ctx, time.Second); err != nil {
			return err
		}
		l.stopOnce()
		l.notef("p99.9 %v", l.quantile(0.999).Round(10*time.Microsecond))
		return l.checkAll(ctx)
	}
}

// busy keeps all processors at work. Nobody may be taken for dead.
func busy(short bool) func(context.Context, *lab) error {
	lasts := time.Minute
	if short {
		lasts = 10 * time.Second
	}
	return func(ctx context.Context, l *lab) error {
		l.row.faults = fmt.Sprintf("all processors busy for %v", lasts)
		l.start(ctx, l.rng, l.trial.rate)
		defer l.stopOnce()
		hot, cancel := context.WithTimeout(ctx, lasts)
		defer cancel()
		for range 2 * runtime.NumCPU() {
			go func() { // ends with hot
				for x := 1.0; hot.Err() == nil; {
					for range 1_000_000 {
						x = math.Sqrt(x + 1)
					}
				}
			}()
		}
		for hot.Err() == nil {
			for _, n := range l.nodes {
				s, err := l.statsOf(ctx, n)
				if err != nil {
					return err
				}
				if s.Members != len(l.nodes) {
					return fmt.Errorf("%s sees %d members of %d", n.Name, s.Members, len(l.nodes))
				}
			}
			if err := l.pause(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
		l.stopOnce()
		return l.checkAll(ctx)
	}
}

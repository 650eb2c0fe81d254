package main

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// splitAt cuts the cluster into the first so many nodes and the rest. A third of
// the keys is called on one side only, a third on the other, and a third on
// both. Afterwards all nodes must agree: each side's own keys are as it left
// them, what it deleted included.
func splitAt(at int, short bool) func(context.Context, *lab) error {
	lasts := []time.Duration{5 * time.Second, time.Minute}
	if short {
		lasts = lasts[:1]
	}
	return func(ctx context.Context, l *lab) error {
		l.row.mayFail = true // while nobody knows of the cut
		l.row.faults = fmt.Sprintf("cut for %v", lasts)
		for _, d := range lasts {
			if _, err := l.backedUp(ctx); err != nil {
				return err
			}
			if err := l.nets.cut(ctx, l.nodes[:at], l.nodes[at:]); err != nil {
				return err
			}
			l.sides.Store(&sides{l.nodes[:at], l.nodes[at:]})
			l.start(ctx, l.rng, l.trial.rate)
			err := l.pause(ctx, d)
			l.stopOnce()
			if err != nil {
				return err
			}
			if err := l.pause(ctx, lateFor); err != nil { // what failed takes no effect any more
				return err
			}
			if err := l.nets.heal(ctx); err != nil {
				return err
			}
			met, err := l.served(ctx)
			if err != nil {
				return err
			}
			l.notef("one cluster %v after a cut of %v", met.Round(time.Millisecond), d)
			l.sides.Store(nil)
			if err := l.alike(ctx); err != nil {
				return err
			}
			if err := l.adopt(ctx, l.nodes[0]); err != nil {
				return err
			}
			if err := l.checkAll(ctx); err != nil {
				return err
			}
			l.use(l.nodes)
			l.fill(ctx, l.rng)
		}
		return nil
	}
}

// alike waits until all nodes say the same of every key that both sides have
// changed: near copies from the time of the cut end with their leases.
func (l *lab) alike(ctx context.Context) error {
	took, err := until(ctx, 15*time.Second, "all nodes say the same of every key", func() (bool, error) {
		var first map[int]string
		for _, n := range l.nodes {
			says := make(map[int]string)
			if err := l.list(ctx, n, func(k int, value []byte, _ time.Time) {
				if sideOf(k) == both {
					says[k] = string(value)
				}
			}); err != nil {
				return false, err
			}
			if first == nil {
				first = says
			}
			if !maps.Equal(first, says) {
				return false, nil
			}
		}
		return true, nil
	})
	if err == nil {
		l.notef("all said the same of every key %v later", took.Round(time.Millisecond))
	}
	return err
}

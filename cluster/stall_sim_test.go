package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
	"github.com/peercache/peercache/internal/wire"
)

// stallWithin is how long calls may fail after a connection has gone dead without
// a word: until that is noticed, and a new one made.
const stallWithin = wire.DefaultMaxSilence*5/4 + 100*time.Millisecond

// keysOf returns keys that a node owns.
func keysOf(n *simNode, count int) []string {
	var list []string
	for i := 0; len(list) < count; i++ {
		key := fmt.Sprint("of ", n.Name(), " ", i)
		v := n.members.view.Load()
		if h, ok := v.owner(slotOf(n.keep.space.hasher.hash(key))); ok && h.id == n.id {
			list = append(list, key)
		}
	}
	return list
}

// reads tells how long it takes until every node reads every other's keys from
// there. No call may outlive its deadline meanwhile.
func (s *simulation) reads(keys map[*simNode][]string) time.Duration {
	s.t.Helper()
	begin := time.Now()
	for _, from := range s.all() {
		for _, list := range keys {
			for _, key := range list {
				for {
					called := time.Now()
					_, err := from.keep.Get(context.Background(), key)
					if took := time.Since(called); took > DefaultRequestTimeout {
						s.errorf("a call took %v", took)
					}
					if err == nil || errors.Is(err, ErrNotFound) {
						break
					}
					if time.Since(begin) > time.Minute {
						s.errorf("%s cannot read %q: %v", from.Name(), key, err)
						return time.Since(begin)
					}
				}
			}
		}
	}
	return time.Since(begin)
}

// A connection that goes dead without a word, while the way is open, is found and
// made anew, with calls on it or without.
func TestSimForgottenConnections(t *testing.T) {
	for _, idle := range []time.Duration{0, 10 * time.Second} {
		simulate(t, 1, sim.LAN(), func(s *simulation) {
			s.near = -1
			nodes := s.cluster(3)
			keys := make(map[*simNode][]string)
			for _, n := range nodes {
				keys[n] = keysOf(n, 10)
			}
			s.linked()
			for _, n := range nodes[1:] {
				s.net.Forget(nodes[0].host.Name(), n.host.Name())
			}
			time.Sleep(idle)
			within := stallWithin
			if idle > stallWithin {
				within = 100 * time.Millisecond
			}
			if took := s.reads(keys); took > within {
				s.errorf("after %v: %v until all can be read, over %v", idle, took, within)
			}
			for _, n := range nodes {
				if len(n.Members()) != 3 {
					s.errorf("%s has members %v", n.Name(), n.Members())
				}
			}
		})
	}
}

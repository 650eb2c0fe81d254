package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// No slot's timer is due before the time at which the node next looks at its slots:
// writes wait here for a member that has leases and says nothing.
func TestSimNoTimerIsMissed(t *testing.T) {
	simulate(t, 51, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(3)
		s.settled()
		silent := nodes[2]
		keys := s.ownedBy(nodes[0], "c", 20)
		for _, key := range keys {
			if err := nodes[1].c.Set(context.Background(), key, []byte("v")); err != nil {
				t.Error(err)
			}
			if _, err := silent.c.Get(context.Background(), key); err != nil {
				t.Error(err)
			}
		}
		silent.proc.Freeze()
		var writing sync.WaitGroup
		for i, key := range keys {
			writing.Go(func() { // ends with its calls
				time.Sleep(time.Duration(i) * 25 * time.Millisecond)
				_ = nodes[i%2].c.Set(context.Background(), key, []byte("new")) // it may not be confirmed
			})
		}
		busy := 0
		for range 400 {
			time.Sleep(3 * time.Millisecond)
			synctest.Wait()
			for _, n := range nodes[:2] {
				for i := range n.parts {
					p := &n.parts[i]
					if p.busy.Load() == 0 {
						continue
					}
					busy++
					if first, next := n.first.Load(), p.next.Load(); first > next {
						t.Errorf("%s looks at its slots at %v, and part %d is due at %v", n.Name(), time.Duration(first), i, time.Duration(next))
					}
				}
			}
		}
		if busy == 0 {
			t.Error("no slot has had a timer")
		}
		writing.Wait()
		silent.proc.Thaw()
		s.agreed()
		time.Sleep(10 * time.Second) // memberlist's probes keep their time again, see gossip's linger
	})
}

// The pace is the fast one after a member was lost, and not after one has left.
func TestSimHurry(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost ", lost), func(t *testing.T) {
			simulate(t, 52, sim.LAN(), func(s *simulation) {
				nodes := s.cluster(4)
				s.settled()
				if lost {
					s.kill(nodes[3])
				} else {
					s.leave(nodes[3])
				}
				s.agreed()
				for _, n := range nodes[:3] {
					if hurries := int64(n.clock.now()) < n.pace.until.Load(); hurries != lost {
						t.Errorf("%s hurries: %v", n.Name(), hurries)
					}
				}
			})
		})
	}
}

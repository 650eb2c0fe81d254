package cluster

import (
	"context"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// A process that is stopped (SIGSTOP, a debugger, a host that has no processor
// for it) may be taken for dead, and its slots served elsewhere, before it goes
// on and hears of that. So it may answer from its memory only for awakeFor after
// a goroutine of its own last ran; who is stopped longer finds on the next call
// that this is over. Then every member of the table is met anew, as in meet.go:
// one that has dropped this node meanwhile says so, and all slots are taken
// again. When all have answered, or left the table, the node goes on. Calls wait
// meanwhile.
//
// A busy machine may make that goroutine late. That costs one such round.

const (
	lookEvery = 100 * time.Millisecond
	// awakeFor is shorter than gossip needs to take a silent member for dead, which
	// is two seconds at least: who was stopped for less is in every table.
	awakeFor = time.Second
	meetFor  = 250 * time.Millisecond
)

// watch notices that the process was stopped, and sends the fence's pings. It
// ends with the node.
func (n *Node) watch(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	last := n.clock.now()
	pinged := -pingEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n.stalled()
		now := n.clock.now()
		if slept := now - last; slept > awakeFor && !n.cfg.faults.has(wakesBlindly) {
			n.log.Warn("cluster: the process was stopped: asking the members what it has missed", "for", slept)
			n.fallAsleep()
		}
		last = now
		n.standing.seenAwake(now)
		if n.cfg.Fence > 0 && now >= pinged+pingEvery-lookEvery/2 || n.clock.runsShort() {
			pinged = now
			n.pings(nil)
		}
	}
}

// stalled returns when the process is not stopped.
func (n *Node) stalled() {
	if n.cfg.stall != nil {
		n.cfg.stall()
	}
}

func (s *standing) seenAwake(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awake = now + awakeFor
	s.publish()
}

// fallAsleep notes that the process was stopped, and starts to find out what it
// has missed, in a goroutine that ends then.
func (n *Node) fallAsleep() {
	s := &n.standing
	s.mu.Lock()
	s.asleep = true
	s.sleeps++
	sleep := s.sleeps
	s.publish()
	s.mu.Unlock()
	n.spawn(func(ctx context.Context) {
		n.gossip.Refresh()
		n.catchUp(ctx)
		if ctx.Err() == nil {
			s.wakeUp(sleep)
			n.progress()
		}
	})
}

// wakeUp ends a sleep, unless there was another since.
func (s *standing) wakeUp(sleep uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sleeps == sleep {
		s.asleep = false
		s.publish()
	}
}

// catchUp returns when every member of the table has said how it stands with
// this node.
func (n *Node) catchUp(ctx context.Context) {
	heard := make(map[protocol.Member]bool)
	for ctx.Err() == nil {
		left := make(map[*link][]int)
		for _, m := range n.members.view.Load().table.Members {
			if l := n.members.link(m); l != nil && !heard[m] {
				left[l] = nil
			}
		}
		if len(left) == 0 {
			return
		}
		met := make(chan protocol.Member, len(left))
		n.eachLink(left, func(l *link, _ []int) {
			if n.meetOnce(ctx, l, meetFor) {
				met <- l.id
			}
		})
		close(met)
		answered := 0
		for m := range met {
			heard[m] = true
			answered++
		}
		if answered < len(left) {
			rest(ctx, firstRetry)
		}
	}
}

// dropNear drops every near copy. It is called when tables have been switched
// because this node was a stranger to others: fills that were begun before are
// not kept.
func (n *Node) dropNear() {
	for slot := range slotCount {
		n.store.DropSlot(slot, cache.NearOnly)
	}
}

package cluster

import (
	"context"
	"slices"
	"time"
)

// join brings the node from its start to being active, in a goroutine that
// ends then. It waits until it knows somebody who is active; of those that
// start together and find nobody, one begins alone and the others join it.
func (n *Node) join(ctx context.Context) {
	if len(n.cfg.Join) > 0 {
		n.findSomebody(ctx)
	}
	for ctx.Err() == nil {
		alone, _ := n.members.nobody()
		if alone || n.copyAhead(ctx) {
			break
		}
	}
	if ctx.Err() != nil || !n.nameIsFree(ctx) {
		return
	}
	n.merged.Store(true)
	n.outlive(ctx)
	n.members.advance(active)
	n.until(ctx, func() bool { return n.settled() })
	if ctx.Err() == nil && n.members.me().State != left {
		n.log.Info("cluster: active", "name", n.cfg.Name, "slots", n.members.view.Load().owned)
		close(n.activeOnce)
	}
}

// findSomebody returns when an active member is known and has told all that it
// knows, or when it is time to begin alone.
func (n *Node) findSomebody(ctx context.Context) {
	start := n.clock.now()
	for ctx.Err() == nil {
		alone, lowest := n.members.nobody()
		if !alone {
			if n.exchangeWithAny(ctx) {
				return
			}
		} else if waited := n.clock.now() - start; waited >= 2*n.cfg.JoinWait || waited >= n.cfg.JoinWait && lowest == n.id {
			return
		}
		n.pause(ctx, 20*time.Millisecond)
	}
}

// exchangeWithAny tells whether one of the active members has told all that it
// knows.
func (n *Node) exchangeWithAny(ctx context.Context) bool {
	for _, h := range n.members.view.Load().holders {
		if h.link != nil && n.exchange(ctx, h.link) == nil {
			return true
		}
	}
	return false
}

// copyAhead copies the slots that this node would own or back up, from each of
// their owners at a time. It returns false where the members changed so that it is
// to be done again.
func (n *Node) copyAhead(ctx context.Context) bool {
	v := n.members.view.Load()
	names := append([]string{n.cfg.Name}, v.ring.names...)
	next := n.rings.of(names, max(n.cfg.Backups, v.backups))
	from := make(map[*link][]int)
	for slot := range slotCount {
		if !slices.ContainsFunc(next.owners(slot), func(i uint16) bool { return next.names[i] == n.cfg.Name }) {
			continue
		}
		if h, ok := v.owner(slot); ok && h.link != nil {
			from[h.link] = append(from[h.link], slot)
		}
	}
	n.eachLink(from, func(l *link, slots []int) {
		n.awaitLink(ctx, l)
		if err := n.copyFrom(ctx, l, slots); err != nil && ctx.Err() == nil {
			n.log.Warn("cluster: copying ahead failed: the rest comes with the switch", "member", l.name, "err", err)
		}
	})
	return sameNames(v, n.members.view.Load())
}

func sameNames(a, b *view) bool { return a.ring == b.ring }

// eachLink runs f for every link at the same time and waits for all.
func (n *Node) eachLink(slots map[*link][]int, f func(*link, []int)) {
	done := make(chan struct{}, len(slots))
	for l, list := range slots {
		started := n.spawn(func(context.Context) {
			f(l, list)
			done <- struct{}{}
		})
		if !started {
			done <- struct{}{}
		}
	}
	for range slots {
		<-done
	}
}

// awaitLink waits until a link has a connection, for as long as making one may
// take, or until its member is gone.
func (n *Node) awaitLink(ctx context.Context, l *link) {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	n.until(ctx, func() bool { return l.conn.Load() != nil || n.members.link(l.id) != l })
}

// nameIsFree waits until no other living member has this node's name: one that
// answers keeps it, one whose process is gone loses it.
func (n *Node) nameIsFree(ctx context.Context) bool {
	for ctx.Err() == nil {
		twins := n.members.named(n.cfg.Name)
		if len(twins) == 0 {
			n.refused.Store(nil)
			return true
		}
		for _, l := range twins {
			if l.conn.Load() != nil {
				err := nameTaken(n.cfg.Name, l.addr)
				if n.refused.Swap(&err) == nil {
					n.log.Error("cluster: not joining", "err", err)
				}
			}
		}
		n.pause(ctx, 100*time.Millisecond)
	}
	return false
}

// named returns the links to other active or leaving members of that name.
func (r *roster) named(name string) []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*link
	for id, o := range r.others {
		if o.Name == name && o.inTable() {
			if l := r.link(id); l != nil {
				list = append(list, l)
			}
		}
	}
	return list
}

// settled tells whether this node serves every slot that its table gives it.
func (n *Node) settled() bool {
	return int(n.activeSlots.Load()) >= n.members.view.Load().owned
}

// until waits for a condition, which is looked at whenever something changed
// that may matter, and from time to time.
func (n *Node) until(ctx context.Context, f func() bool) {
	for !f() && ctx.Err() == nil {
		n.pause(ctx, 5*time.Millisecond)
	}
}

// pause waits until something about the members changed, for d at most.
func (n *Node) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-n.changed:
	case <-t.C:
	case <-ctx.Done():
	}
}

// progress wakes whoever is in pause.
func (n *Node) progress() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

//go:build faults

package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/gossip"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// faulty is what a node does wrong.
type faulty struct{ *mistake }

type mistake struct {
	what  fault
	count atomic.Uint64

	mu     sync.Mutex // guards grants
	grants map[grantKey]protocol.Message
}

type grantKey struct {
	from protocol.Member
	slot int
}

// making returns what lets a node make a mistake.
func making(what fault) faulty {
	return faulty{&mistake{what: what, grants: make(map[grantKey]protocol.Message)}}
}

// has tells whether the node makes this mistake.
func (f faulty) has(what fault) bool { return f.mistake != nil && f.what == what }

// now tells whether it makes it this time, one in so many.
func (f faulty) now(what fault, every uint64) bool {
	return f.has(what) && f.count.Add(1)%every == 0
}

// timer is a time by the node's clock, which has gone on for d.
func (f faulty) timer(d time.Duration, c *clock) time.Duration {
	switch {
	case f.has(wallTimer):
		return max(c.wall().Sub(c.start)+24*time.Hour, 0)
	case f.has(coarseTimer):
		return d.Truncate(500 * time.Millisecond)
	}
	return d
}

// id is an incarnation; 0: draw one.
func (f faulty) id(name string) protocol.Member {
	if f.has(sameID) {
		return protocol.Member(xxhash.Sum64String(name))
	}
	return 0
}

// message tells whether a message was handled here, in place of the protocol.
func (f faulty) message(n *Node, from protocol.Member, _ *wire.Conn, m *protocol.Message) bool {
	if f.mistake == nil {
		return false
	}
	switch {
	case m.Kind == protocol.Revoke && f.now(keepsRevoked, 5):
		f.send(n, from, protocol.Message{Kind: protocol.Revoked, Slot: m.Slot, Nonce: m.Nonce, Ref: m.Ref})
		return true
	case m.Kind == protocol.Clear && f.now(forgetsClear, 3):
		f.send(n, from, protocol.Message{
			Kind: protocol.Cleared, Nonce: m.Nonce, Ref: m.Ref,
			Prior: n.caches.Of(m.Ref.Cache).Count, Generation: m.Generation,
		})
		return true
	case m.Kind == protocol.Replicate && f.now(losesReplica, 4):
		f.send(n, from, protocol.Message{Kind: protocol.Replicated, Slot: m.Slot, Nonce: m.Nonce, Ref: m.Ref, Term: m.Term})
		return true
	case m.Kind == protocol.Stage && f.has(servesStaged):
		return true
	case m.Kind != protocol.Grant:
	case f.has(cutsGrant) && len(m.Content) > 0:
		m.Content = m.Content[:len(m.Content)-1]
	case f.has(doneEarly):
		f.send(n, from, protocol.Message{
			Kind: protocol.Done, Slot: m.Slot, Digest: m.Digest,
			Term: protocol.Term{Count: m.Term.Count + 1, Raiser: n.id},
		})
	case f.has(repeatsGrant):
		f.mu.Lock()
		defer f.mu.Unlock()
		if old, ok := f.grants[grantKey{from, m.Slot}]; ok {
			nonce, digest := m.Nonce, m.Digest
			*m = old
			m.Nonce, m.Digest = nonce, digest
			return false
		}
		f.grants[grantKey{from, m.Slot}] = *m
	}
	return false
}

func (f faulty) send(n *Node, to protocol.Member, m protocol.Message) {
	n.sendAll([]protocol.Envelope{{To: to, Message: m}}, nil, nil)
}

// event tells whether an event of gossip is not to be heard, or later.
func (f faulty) event(n *Node, e gossip.Event) bool {
	switch {
	case e.Kind == gossip.Failed && f.now(dropsEvents, 2):
		return true
	case f.has(lateEvents):
		wait := time.Duration(f.count.Add(1)%5) * 700 * time.Millisecond
		return n.spawn(func(ctx context.Context) { // ends with the wait
			select {
			case <-time.After(wait):
				n.hear(e)
			case <-ctx.Done():
			}
		})
	}
	return false
}

// staged looks a key up among the copies ahead.
func (f faulty) staged(n *Node, ref cache.Ref, hit *cache.Hit) bool {
	e, ok := n.store.Peek(ref, cache.Staged)
	*hit = cache.Hit{Kind: cache.Near, Value: e.Value, Version: e.Version}
	return ok && !e.Tombstone
}

// wire makes the mistakes of connections.
func (f faulty) wire(c *wire.Config) { c.Faults.SameNumbers = f.has(sameNumbers) }

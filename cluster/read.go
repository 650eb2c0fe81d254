package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// Source says where a value came from.
type Source struct {
	kind sourceKind
	peer string
}

type sourceKind uint8

const (
	sourceNone sourceKind = iota
	sourceOwned
	sourceNear
	sourcePeer
	sourceLoaded
)

// String returns "owned", "near", "peer NAME", "loaded", or "none".
func (s Source) String() string {
	switch s.kind {
	case sourceOwned:
		return "owned"
	case sourceNear:
		return "near"
	case sourcePeer:
		return "peer " + s.peer
	case sourceLoaded:
		return "loaded"
	}
	return "none"
}

// local looks a key up in this node's own memory: what it owns, while it
// serves the slot, or a near copy whose lease runs. It takes no lock but the
// store's: that the slot was served all the while is told by its number in
// serving, which changes whenever serving begins or ends.
//
// It fills in hit, which is a zero one before; what it returns false for is not
// to be looked at.
func (n *Node) local(sp *space, hash uint64, key string, hit *cache.Hit) bool {
	word := &n.serving[slotOf(hash)]
	before := word.Load()
	if before&1 == 1 {
		ok := n.store.Find(cache.Owned, hash, sp.number, key, hit)
		return ok && word.Load() == before && n.mayAnswerAt(hit.At)
	}
	ok := n.cfg.NearTTL > 0 && n.store.Find(cache.Near, hash, sp.number, key, hit)
	if !ok && n.cfg.faults.has(servesStaged) {
		return n.cfg.faults.staged(n, cache.Ref{Hash: hash, Cache: sp.number, Key: key}, hit)
	}
	// Once a node has said goodbye nobody waits for its near copies to end.
	return ok && (!n.shut.Load() || n.cfg.faults.has(answersClosed)) && n.mayAnswerAt(hit.At)
}

// owned answers a read of another member that wants no lease.
func (n *Node) owned(hash uint64, slot int, sp *space, key string) (protocol.Answer, bool) {
	gen := n.caches.Of(sp.number) // before the look-up: at most the entry's own
	var hit cache.Hit
	if !n.local(sp, hash, key, &hit) || hit.Kind != cache.Owned {
		return protocol.Answer{}, false
	}
	a := protocol.Answer{
		Status: protocol.Found, Value: hit.Value, Version: hit.Version, Count: gen.Count, Generation: gen,
	}
	if hit.Expires != 0 {
		a.Left = max(hit.Expires-n.clock.now(), 1)
	}
	return a, true
}

// found is a value as a caller gets it.
type found struct {
	value   []byte
	decoded any
	version uint64
	source  Source
}

// read gets a key for a caller on this node.
func (n *Node) read(ctx context.Context, sp *space, hash uint64, key string) (found, error) {
	o := op{kind: kindGet, space: sp, key: key, hash: hash, load: sp.load.Load() != nil}
	var deadline time.Duration
	if o.load {
		deadline = n.clock.now() + n.timeout(ctx)
	}
	var a protocol.Answer
	h, err := n.do(ctx, &o, &a)
	if err == nil {
		f := found{value: a.Value, version: a.Version}
		switch {
		case a.Loaded:
			f.source = Source{kind: sourceLoaded}
		case h.link == nil:
			f.source = Source{kind: sourceOwned}
		default:
			f.source = Source{kind: sourcePeer, peer: h.name}
		}
		return f, nil
	}
	if o.load && ctx.Err() == nil && n.ctx.Err() == nil && (errors.Is(err, errNoLoader) || errors.Is(err, ErrUnavailable)) {
		ctx, cancel := context.WithTimeout(ctx, deadline-n.clock.now())
		defer cancel()
		value, err := n.loadAlone(ctx, sp, key)
		return found{value: value, source: Source{kind: sourceLoaded}}, err
	}
	if errors.Is(err, errFenced) {
		return found{}, ErrNotFound
	}
	return found{}, err
}

func foundOf(hit *cache.Hit) found {
	f := found{value: hit.Value, decoded: hit.Decoded, version: hit.Version, source: Source{kind: sourceOwned}}
	if hit.Kind == cache.Near {
		f.source.kind = sourceNear
	}
	return f
}

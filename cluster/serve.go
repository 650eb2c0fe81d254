package cluster

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// Codes of refused requests.
const (
	codeMalformed byte = iota + 1
	codeRefused
)

// serve takes a frame of another member. It runs on the connection's reader
// and does not block.
func (n *Node) serve(c *wire.Conn, r wire.Request) {
	from := helloOf(c.Peer())
	var err error
	switch r.Kind {
	case kindBatch:
		n.onBatch(from, c, r.Body)
	case kindGet:
		n.counts.served.Add(1)
		err = n.onGet(from, c, r)
	case kindSet, kindDelete:
		n.counts.served.Add(1)
		err = n.onWrite(c, r)
	case kindMany:
		n.counts.served.Add(1)
		err = n.onMany(from, c, r)
	case kindCopy:
		n.serveBulk(c, r, false, func(w *carrier, body []byte) error { return n.onCopy(from, w, body) })
	case kindFetch:
		n.serveBulk(c, r, n.fetchPresses(r.Body), n.onFetch)
	case kindPush:
		n.serveBulk(c, r, true, func(_ *carrier, body []byte) error { return n.onPush(body) })
	case kindMembers:
		n.atLength(c, r, n.onMembers)
	case kindPrepare:
		n.onPrepare(from, c, r)
	case kindMeet:
		n.atLength(c, r, n.onMeet)
	case kindReach:
		n.atLength(c, r, n.onReach)
	}
	n.refuse(from, c, r.ID, err)
}

// refuse answers a request that was not understood, or that cannot be carried
// out.
func (n *Node) refuse(from protocol.Member, c *wire.Conn, id uint32, err error) {
	if err == nil || id == 0 {
		return
	}
	code := codeRefused
	if errors.Is(err, errShort) {
		code = codeMalformed
		n.malformed(from, err)
	}
	if err := c.Fail(id, code, err.Error()); err != nil {
		n.log.Debug("cluster: refusal dropped", "err", err)
	}
}

// maxAtLength is how many requests that take long are worked on at a time.
const maxAtLength = 16

// atLength answers a request that takes long, so that what comes after it on the
// connection need not wait. With too many under way it does.
func (n *Node) atLength(c *wire.Conn, r wire.Request, f func([]byte) ([]byte, error)) {
	answer := func(body []byte) {
		reply, err := f(body)
		if err == nil {
			n.replyWith(c, r.ID, reply)
		}
		n.refuse(helloOf(c.Peer()), c, r.ID, err)
	}
	select {
	case n.longs <- struct{}{}:
	default:
		answer(r.Body)
		return
	}
	body := bytes.Clone(r.Body)
	started := n.spawn(func(context.Context) { // ends with the answer
		defer func() { <-n.longs }()
		answer(body)
	})
	if !started {
		<-n.longs
	}
}

// deadlineOf is when a request is to be answered at the latest: a little before
// the asker gives up, so that it learns how far the call came.
func (n *Node) deadlineOf(r wire.Request) time.Duration {
	t := r.Timeout
	if t <= 0 || t > n.cfg.RequestTimeout {
		t = n.cfg.RequestTimeout
	}
	return n.clock.now() + t - margin(t)
}

func margin(t time.Duration) time.Duration { return min(t/10, 2*tickEvery) }

const getLoads = 1

func appendGet(b []byte, name, key string, near time.Duration, load bool) []byte {
	flags := byte(0)
	if load {
		flags = getLoads
	}
	b = append(b, flags)
	b = appendDuration(b, near)
	b = appendString(b, name)
	return append(b, key...)
}

// onGet answers a read as the owner. Without a lease to give it touches no
// lock but the store's.
func (n *Node) onGet(from protocol.Member, c *wire.Conn, r wire.Request) error {
	d := decoder{b: r.Body}
	load := d.byte() == getLoads
	near := d.duration()
	name := d.bytes()
	key := d.b
	if d.bad || len(key) == 0 || len(key) > MaxKey {
		return errShort
	}
	sp := n.caches.find(asString(name))
	if sp == nil {
		if a, ok := n.unheardOf(name, asString(key), load); ok {
			n.reply(c, r.ID, &a)
			return nil
		}
		var err error
		if sp, err = n.caches.space(name); err != nil {
			return errors.Join(errShort, err)
		}
	}
	hash := sp.hasher.hash(asString(key))
	slot := slotOf(hash)
	if near <= 0 {
		if hit, ok := n.owned(hash, slot, sp, asString(key)); ok {
			n.reply(c, r.ID, &hit)
			return nil
		}
	}
	if load && !n.mayAnswer() {
		a := loadYourself()
		n.reply(c, r.ID, &a)
		return nil
	}
	ref := cache.Ref{Hash: hash, Cache: sp.number, Key: string(key)}
	st, p, s := n.begin(slot)
	s.Get(protocol.Get{
		Call: p.calls.add(caller{conn: c, id: r.ID}), From: from, Ref: ref,
		Near: min(near, MaxNearTTL), Load: load, Deadline: n.deadlineOf(r),
	}, n.clock.now(), &st.out)
	n.end(st, p, slot)
	return nil
}

// loadYourself answers a read with a loader of a node that was stopped: a run that is
// under way here may have begun before that, and who comes now is not to share it.
func loadYourself() protocol.Answer {
	return protocol.Answer{Status: protocol.Failed, Err: errNoLoader}
}

// unheardOf answers a read of a cache of which this node has never heard: it has
// nothing of it, and a name is not to be kept because somebody has read it. That is
// not so (false) where a loader is to be run, and while the slot is being taken: what
// comes with it may be of that cache.
func (n *Node) unheardOf(name []byte, key string, load bool) (protocol.Answer, bool) {
	if load || len(name) == 0 || len(name) > maxCacheLen {
		return protocol.Answer{}, false
	}
	p, s := n.slot(slotOf(newKeyHasher(asString(name)).hash(key)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.caches.find(asString(name)) != nil {
		return protocol.Answer{}, false // it came with the slot meanwhile
	}
	if s.Owner() != n.id {
		return protocol.Answer{Status: protocol.NotMine}, true
	}
	a := protocol.Answer{Status: protocol.Missing}
	n.guard(&a)
	return a, s.Active()
}

func appendWrite(b []byte, o *op) []byte {
	b = appendDuration(b, o.ttl)
	b = appendString(b, o.space.name)
	b = appendString(b, o.key)
	return append(b, o.value...)
}

// onWrite takes a Set or a Delete as the owner.
func (n *Node) onWrite(c *wire.Conn, r wire.Request) error {
	d := decoder{b: r.Body}
	ttl := d.duration()
	sp, err := n.caches.space(d.bytes())
	key := d.string()
	if d.bad || err != nil || key == "" || len(key) > MaxKey {
		return errors.Join(errShort, err)
	}
	if !n.mayAnswer() {
		n.reply(c, r.ID, &protocol.Answer{Status: protocol.NotExecuted})
		return nil
	}
	if len(d.b) > n.cfg.MaxValue {
		return tooLarge("a value", len(d.b), n.cfg.MaxValue)
	}
	w := protocol.WriteCall{
		Ref:    cache.Ref{Hash: sp.hasher.hash(key), Cache: sp.number, Key: key},
		Delete: r.Kind == kindDelete, TTL: ttl, Deadline: n.deadlineOf(r),
	}
	if !w.Delete {
		w.Value = append(make([]byte, 0, len(d.b)), d.b...)
	}
	if n.cfg.faults.now(dropsWrites, 20) {
		n.reply(c, r.ID, &protocol.Answer{Status: protocol.Written})
		return nil
	}
	slot := slotOf(w.Ref.Hash)
	st, p, s := n.begin(slot)
	w.Call = p.calls.add(caller{conn: c, id: r.ID})
	s.Write(w, n.clock.now(), &st.out)
	n.end(st, p, slot)
	return nil
}

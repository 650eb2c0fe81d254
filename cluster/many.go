package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

const (
	// manyKeys is how many keys one request asks for at most.
	manyKeys = 256
	// manyBytes is where the answer of one request ends: what does not fit is
	// asked for again, by itself.
	manyBytes = 2 << 20
	// answerRoom is what an answer mostly has besides its value.
	answerRoom = 48
)

// manyCall is a request for several keys that waits until every one of them
// is answered.
type manyCall struct {
	conn *wire.Conn
	id   uint32

	mu      sync.Mutex // guards what follows
	left    int
	size    int
	answers [][]byte
}

// answer notes the answer for one key, and sends all after the last.
func (m *manyCall) answer(n *Node, at int, a *protocol.Answer) {
	b := n.appendAnswer(make([]byte, 0, len(a.Value)+answerRoom), a)
	m.mu.Lock()
	if m.size+len(b) > manyBytes && m.size > 0 {
		b = n.appendAnswer(nil, &protocol.Answer{Status: protocol.NotExecuted})
	}
	m.size += len(b)
	m.answers[at] = b
	m.left--
	last := m.left == 0
	m.mu.Unlock()
	if !last {
		return
	}
	body := make([]byte, 0, m.size+4*len(m.answers))
	for _, b := range m.answers {
		body = appendBytes(body, b)
	}
	n.replyWith(m.conn, m.id, body)
}

// onMany answers a request for several keys of one cache. What it can answer as
// onGet does, with no lock but the store's, goes straight into the reply, for as
// many keys from the first on as that works.
func (n *Node) onMany(from protocol.Member, c *wire.Conn, r wire.Request) error {
	d := decoder{b: r.Body}
	load := d.byte() == getLoads
	near := d.duration()
	name := d.bytes()
	count := d.count(2)
	if d.bad || count == 0 || count > manyKeys {
		return errShort
	}
	sp := n.caches.find(asString(name))
	body, one := n.buffers.take(), n.buffers.take()
	defer n.buffers.give(body)
	defer n.buffers.give(one)
	done := 0
	for keys := d; near <= 0 && sp != nil && done < count; done++ {
		key := asString(keys.bytes())
		hash := sp.hasher.hash(key)
		hit, ok := n.owned(hash, slotOf(hash), sp, key)
		if keys.bad || !ok {
			break
		}
		*one = n.appendAnswer((*one)[:0], &hit)
		if len(*body) > 0 && len(*body)+len(*one) > manyBytes {
			*one = n.appendAnswer((*one)[:0], &protocol.Answer{Status: protocol.NotExecuted})
		}
		*body = appendBytes(*body, *one)
		d = keys
	}
	if done == count {
		if err := d.err(); err != nil {
			return err
		}
		n.replyWith(c, r.ID, *body)
		return nil
	}
	keys := make([]string, count-done)
	for i := range keys {
		if keys[i] = d.string(); len(keys[i]) == 0 || len(keys[i]) > MaxKey {
			d.fail()
		}
	}
	if err := d.err(); err != nil {
		return err
	}
	m := &manyCall{conn: c, id: r.ID, left: len(keys), answers: make([][]byte, count)}
	for i, answered := 0, (decoder{b: *body}); i < done; i++ {
		m.answers[i] = bytes.Clone(answered.bytes())
		m.size += len(m.answers[i])
	}
	deadline := n.deadlineOf(r)
	for i, key := range keys {
		if sp == nil {
			if a, ok := n.unheardOf(name, key, load); ok {
				m.answer(n, i, &a)
				continue
			}
			var err error
			if sp, err = n.caches.space(name); err != nil {
				return errors.Join(errShort, err)
			}
		}
		ref := cache.Ref{Hash: sp.hasher.hash(key), Cache: sp.number, Key: key}
		slot := slotOf(ref.Hash)
		st, p, s := n.begin(slot)
		s.Get(protocol.Get{
			Call: p.calls.add(caller{many: m, at: done + i}), From: from, Ref: ref,
			Near: min(near, MaxNearTTL), Load: load, Deadline: deadline,
		}, n.clock.now(), &st.out)
		n.end(st, p, slot)
	}
	return nil
}

// readMany gets several keys: what is here at once, what others own with one
// request to each of them, and what that did not bring one by one. The result
// stands beside the keys; a nil value with no error is not there.
func (n *Node) readMany(ctx context.Context, sp *space, keys []string) ([]found, []error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.RequestTimeout)
	defer cancel()
	got, errs := make([]found, len(keys)), make([]error, len(keys))
	v := n.members.view.Load()
	byOwner := make(map[*link][]int)
	var single []int
	off := n.fencedOff() // then nobody is asked
	for i, key := range keys {
		hash := sp.hasher.hash(key)
		var hit cache.Hit
		if n.local(sp, hash, key, &hit) {
			got[i] = foundOf(&hit)
			continue
		}
		h, ok := v.owner(slotOf(hash))
		if !ok || h.link == nil || off {
			single = append(single, i)
			continue
		}
		byOwner[h.link] = append(byOwner[h.link], i)
	}
	var mu sync.Mutex // guards single
	var wg sync.WaitGroup
	for l, list := range byOwner {
		for len(list) > 0 {
			part := list[:min(len(list), manyKeys)]
			list = list[len(part):]
			wg.Add(1)
			go func() { // ends with the request, which has a deadline
				defer wg.Done()
				again := n.readFrom(ctx, sp, l, v, keys, part, got, errs)
				mu.Lock()
				single = append(single, again...)
				mu.Unlock()
			}()
		}
	}
	wg.Wait()
	sem := make(chan struct{}, 64)
	for _, i := range single {
		sem <- struct{}{}
		wg.Add(1)
		go func() { // ends with the call, which has a deadline
			defer func() { <-sem; wg.Done() }()
			got[i], errs[i] = n.read(ctx, sp, sp.hasher.hash(keys[i]), keys[i])
		}()
	}
	wg.Wait()
	return got, errs
}

// readFrom asks one owner for several keys and returns those that are to be
// asked for again.
func (n *Node) readFrom(ctx context.Context, sp *space, l *link, v *view, keys []string, part []int, got []found, errs []error) (again []int) {
	fills := make([]protocol.Fill, len(part))
	buf := n.buffers.take()
	defer n.buffers.give(buf)
	now := n.clock.now()
	flags := byte(0)
	if sp.load.Load() != nil {
		flags = getLoads
	}
	body := appendString(appendDuration(append(*buf, flags), n.cfg.NearTTL), sp.name)
	body = binary.AppendUvarint(body, uint64(len(part)))
	for j, i := range part {
		ref := cache.Ref{Hash: sp.hasher.hash(keys[i]), Cache: sp.number, Key: keys[i]}
		p, s := n.slot(slotOf(ref.Hash))
		p.mu.Lock()
		fills[j] = s.Begin(ref, n.cfg.NearTTL, now)
		p.mu.Unlock()
		body = appendString(body, keys[i])
	}
	*buf = body
	b, err := l.call(ctx, kindMany, body, n.timeout(ctx))
	if err != nil {
		return part
	}
	d := decoder{b: b}
	for j, i := range part {
		a, digest, err := decodeAnswer(d.bytes())
		a.Value = bytes.Clone(a.Value) // who keeps it is not to keep the whole reply
		switch {
		case d.bad || err != nil || a.Status == protocol.NotExecuted || a.Status == protocol.Fenced:
			again = append(again, i)
			continue
		case a.Status == protocol.NotMine:
			if digest != v.table.Digest {
				n.exchangeSoon(l.id)
			}
			again = append(again, i)
			continue
		}
		p, s := n.slot(slotOf(fills[j].Ref.Hash))
		p.mu.Lock()
		hit := s.End(fills[j], &a, n.clock.now())
		p.mu.Unlock()
		switch {
		case hit:
			got[i] = found{value: a.Value, version: a.Version, source: Source{kind: sourcePeer, peer: l.name}}
			if a.Loaded {
				got[i].source = Source{kind: sourceLoaded}
			}
		case a.Status == protocol.Failed && errors.Is(a.Err, errNoLoader):
			again = append(again, i)
		default:
			if a.Status == protocol.Found {
				a.Status = protocol.Missing
			}
			errs[i] = answerError(&a, n)
		}
	}
	return again
}

func foundOf(hit *cache.Hit) found {
	f := found{value: hit.Value, decoded: hit.Decoded, version: hit.Version, source: Source{kind: sourceOwned}}
	if hit.Kind == cache.Near {
		f.source.kind = sourceNear
	}
	return f
}

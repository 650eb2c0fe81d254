package cluster

import (
	"bytes"
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
		if load && !n.mayAnswer() {
			a := loadYourself()
			m.answer(n, done+i, &a)
			continue
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

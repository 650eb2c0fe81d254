package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

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
		var a protocol.Answer
		digest, err := decodeAnswer(d.bytes(), &a)
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

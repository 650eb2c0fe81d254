package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// fetchesAtATime is how many slots are fetched at a time: what is in flight is
// so many pieces at most.
const fetchesAtATime = 8

// fetch gets the content of a slot that a grant or a sync did not carry, in a
// goroutine that ends when all is there, or when it is not wanted any longer. While
// it waits to try again others have its place.
func (n *Node) fetch(f protocol.Fetch) {
	n.spawn(func(ctx context.Context) {
		for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
			select {
			case n.fetches <- struct{}{}:
			case <-ctx.Done():
				return
			}
			err := n.fetchNow(ctx, f)
			<-n.fetches
			if err == nil || ctx.Err() != nil {
				return
			}
			n.log.Debug("cluster: fetching a slot failed", "slot", f.Slot, "err", err)
			rest(ctx, wait)
		}
	})
}

// fetchNow tries once. It returns nil as well where there is nothing to be had any
// longer.
func (n *Node) fetchNow(ctx context.Context, f protocol.Fetch) error {
	p, s := n.slot(f.Slot)
	p.mu.Lock()
	wanted := s.Wants(f)
	p.mu.Unlock()
	l := n.members.link(f.From)
	if l == nil || !wanted {
		return nil
	}
	if err := n.fetchOnce(ctx, l, f); err != nil {
		return fmt.Errorf("from %s: %w", l.name, err)
	}
	return nil
}

// have is one entry that is staged here, as a fetch names it.
type have struct {
	hash, version uint64
}

// haveOf names an entry. A tombstone may have the version of the entry whose place it
// has taken.
func haveOf(ref cache.Ref, version uint64, tombstone bool) have {
	if tombstone {
		version = ^version
	}
	return have{ref.Hash, version}
}

// fetchOnce brings piece after piece until all is there, or is not wanted any longer.
func (n *Node) fetchOnce(ctx context.Context, l *link, f protocol.Fetch) error {
	staged := make(map[have]cache.Ref)
	var haves []byte
	if !f.All {
		p, _ := n.slot(f.Slot)
		p.mu.Lock()
		items := n.store.AppendSlot(nil, f.Slot, cache.StagedOnly)
		p.mu.Unlock()
		for i := range items {
			h := haveOf(items[i].Ref, items[i].Entry.Version, items[i].Entry.Tombstone)
			staged[h] = items[i].Ref
			haves = binary.BigEndian.AppendUint64(haves, h.hash)
			haves = binary.BigEndian.AppendUint64(haves, h.version)
		}
		if len(haves) > maxHaves {
			// Too much to compare: all of it is fetched anew.
			clear(staged)
			haves = nil
			n.store.DropSlot(f.Slot, cache.StagedOnly)
		}
	}
	for hash, first := uint64(0), true; ; first = false {
		body := binary.AppendUvarint(nil, uint64(f.Slot))
		body = binary.BigEndian.AppendUint64(body, hash)
		body = binary.BigEndian.AppendUint64(body, n.caches.Digest())
		body = append(body, haves...)
		b, err := l.carry(ctx, kindFetch, body)
		if err != nil {
			return err
		}
		d := decoder{b: b}
		piece := protocol.Piece{Last: d.byte() == 1}
		next := d.uint64()
		piece.Floor = d.uint64()
		gens := n.caches.decodeGenerations(&d)
		for range d.count(16) {
			if ref, ok := staged[have{d.uint64(), d.uint64()}]; ok && first {
				piece.Gone = append(piece.Gone, ref)
			}
		}
		piece.Items = n.caches.decodeItems(&d)
		if err := d.err(); err != nil {
			return err
		}
		if !piece.Last && next <= hash && !first {
			return errShort
		}
		for _, g := range gens { // nodes of 1.0 leave nothing where a clear has removed something
			n.caches.Merge(g.Cache, g.Generation)
		}
		st, p, s := n.begin(f.Slot)
		ok := s.Fetched(f, &piece, n.clock.now(), &st.out)
		n.end(st, p, f.Slot)
		if piece.Last || !ok {
			return nil
		}
		hash = next
	}
}

// fetchPresses tells whether a request for a slot's contents is from the next owner,
// for whom calls may wait already. A backup has time.
func (n *Node) fetchPresses(body []byte) pressing {
	d := decoder{b: body}
	slot := d.slot()
	return pressing(d.bad || n.serving[slot].Load()&1 == 0)
}

// onFetch answers with the next piece of a slot: whether it is the last, where
// the next one begins, the slot's floor, the generations of caches where the taker's are
// others, which of the taker's entries are not here, and the items that it does not have.
func (n *Node) onFetch(w *carrier, body []byte) error {
	d := decoder{b: body}
	slot, hash, known := d.slot(), d.uint64(), d.uint64()
	if d.bad || len(d.b)%16 != 0 {
		return errShort
	}
	haves := make(map[have]bool, len(d.b)/16)
	for len(d.b) > 0 {
		haves[have{d.uint64(), d.uint64()}] = true
	}
	items := n.content(w, slot, 0)
	items = slices.DeleteFunc(items, func(it protocol.Item) bool {
		h := haveOf(it.Ref, it.Version, it.Tombstone)
		same := haves[h]
		delete(haves, h)
		return same
	})
	size := 0
	piece, next, done := fill(w.piece[:0], byHash(items, hash), &size)
	w.piece = piece
	b := append(w.body, 0)
	if done {
		b[0] = 1
	}
	b = binary.BigEndian.AppendUint64(b, next)
	// These after the contents were listed.
	b = binary.BigEndian.AppendUint64(b, n.store.Floor(slot))
	var generations []protocol.CacheGeneration
	if n.caches.Digest() != known {
		generations = n.caches.Append(nil)
	}
	b = n.caches.appendGenerations(b, generations)
	if hash != 0 {
		clear(haves) // told with the first piece
	}
	b = binary.AppendUvarint(b, uint64(len(haves)))
	for h := range haves {
		b = binary.BigEndian.AppendUint64(b, h.hash)
		b = binary.BigEndian.AppendUint64(b, h.version)
	}
	w.body = n.caches.appendItems(b, piece)
	return nil
}

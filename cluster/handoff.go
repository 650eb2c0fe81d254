package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// Entries go from one node to another in pieces: ahead of a switch of tables,
// pulled by a joining node (kindCopy) or pushed by the owners when another is
// about to leave (kindPush); and after it, where a grant or a sync did not carry
// them (kindFetch). A piece ends at
// pieceBytes, and a slot that is larger goes on in the next, in the order of
// its keys' hashes.

const (
	pieceBytes = 32 << 10
	pieceFor   = 5 * time.Second
	maxHaves   = 2 << 20 // bytes
)

// cursor is how far a copy of some slots has come: all of the slots before, and
// of this one the keys whose hash is below.
type cursor struct {
	slot int // place in the list of slots
	hash uint64
}

// byHash sorts items for a cursor, and leaves out those that it has passed.
func byHash(items []protocol.Item, from uint64) []protocol.Item {
	items = slices.DeleteFunc(items, func(it protocol.Item) bool { return it.Ref.Hash < from })
	slices.SortFunc(items, func(a, b protocol.Item) int { return cmp.Compare(a.Ref.Hash, b.Ref.Hash) })
	return items
}

// fill takes as many of the items as fit, all of one hash together, and returns
// where to go on; done is true where nothing is left.
func fill(piece, items []protocol.Item, size *int) (_ []protocol.Item, next uint64, done bool) {
	for i := range items {
		it := &items[i]
		cost := len(it.Ref.Key) + len(it.Value) + 64
		if *size > 0 && *size+cost > pieceBytes && (i == 0 || items[i-1].Ref.Hash != it.Ref.Hash) {
			return piece, it.Ref.Hash, false
		}
		*size += cost
		piece = append(piece, *it)
	}
	return piece, 0, true
}

// content lists a slot's entries here. With stager, who will be sent what
// changes from now on, only if this node serves the slot. The part's lock is held
// for as long as it takes to name the entries; their bytes are not copied.
func (n *Node) content(w *carrier, slot int, stager protocol.Member) []protocol.Item {
	p, s := n.slot(slot)
	p.mu.Lock()
	w.held = w.held[:0]
	if stager == 0 || s.AddStager(stager) {
		w.held = n.store.AppendSlot(w.held, slot, cache.OwnedOnly)
	}
	p.mu.Unlock()
	now := n.clock.now()
	w.items = w.items[:0]
	for i := range w.held {
		w.items = append(w.items, protocol.ItemOf(w.held[i], now))
	}
	return w.items
}

// nextPiece collects what comes after a cursor, and moves it on. Stager is as for
// content.
func (n *Node) nextPiece(w *carrier, slots []int, at *cursor, stager protocol.Member) []protocol.Item {
	w.piece = w.piece[:0]
	for size := 0; at.slot < len(slots) && size < pieceBytes; {
		done := false
		items := byHash(n.content(w, slots[at.slot], stager), at.hash)
		if w.piece, at.hash, done = fill(w.piece, items, &size); !done {
			break
		}
		at.slot++
	}
	return w.piece
}

// copyFrom copies slots ahead from their owner.
func (n *Node) copyFrom(ctx context.Context, l *link, slots []int) error {
	return n.inTurns(slots, func(some []int) error { return n.copySome(ctx, l, some) })
}

func (n *Node) copySome(ctx context.Context, l *link, slots []int) error {
	at := cursor{}
	for at.slot < len(slots) {
		batch := slots[at.slot:min(at.slot+1024, len(slots))]
		body := binary.BigEndian.AppendUint64(nil, at.hash)
		body = binary.AppendUvarint(body, uint64(len(batch)))
		for _, s := range batch {
			body = binary.AppendUvarint(body, uint64(s))
		}
		b, err := l.carry(ctx, kindCopy, body)
		if err != nil {
			return err
		}
		d := decoder{b: b}
		through, hash := d.uvarint(), d.uint64()
		if err := n.stage(&d); err != nil {
			return err
		}
		if through > uint64(len(batch)) || through == 0 && hash <= at.hash {
			return fmt.Errorf("cluster: a copy from %s does not go on: %w", l.name, errShort)
		}
		at = cursor{at.slot + int(through), hash}
	}
	return nil
}

// onCopy answers with the next piece: how many of the slots are through, where
// the next one goes on, and the items.
func (n *Node) onCopy(from protocol.Member, w *carrier, body []byte) error {
	d := decoder{b: body}
	hash := d.uint64()
	slots := make([]int, d.count(1))
	for i := range slots {
		slots[i] = d.slot()
	}
	if err := d.err(); err != nil {
		return err
	}
	at := cursor{0, hash}
	piece := n.nextPiece(w, slots, &at, from)
	w.body = binary.AppendUvarint(w.body, uint64(at.slot))
	w.body = binary.BigEndian.AppendUint64(w.body, at.hash)
	w.body = n.caches.appendItems(w.body, piece)
	return nil
}

// stage takes in what was copied ahead.
func (n *Node) stage(d *decoder) error {
	count := 0
	n.work(false, func(*carrier) {
		items := n.caches.decodeItems(d)
		count = len(items)
		n.staged(items)
	})
	n.counts.copied.Add(uint64(count))
	return d.err()
}

// staged takes items that were copied ahead.
func (n *Node) staged(items []protocol.Item) {
	now := n.clock.now()
	for len(items) > 0 {
		slot, k := slotOf(items[0].Ref.Hash), 1
		for k < len(items) && slotOf(items[k].Ref.Hash) == slot {
			k++
		}
		p, s := n.slot(slot)
		p.mu.Lock()
		s.Staged(items[:k], now)
		p.mu.Unlock()
		items = items[k:]
	}
}

// pushTo copies slots ahead to a member that will own them or back them up.
func (n *Node) pushTo(ctx context.Context, l *link, slots []int) error {
	return n.inTurns(slots, func(some []int) error { return n.pushSome(ctx, l, some) })
}

func (n *Node) pushSome(ctx context.Context, l *link, slots []int) error {
	var body []byte
	began := n.clock.now()
	for at := (cursor{}); at.slot < len(slots); {
		count := 0
		n.work(n.behind(ctx, began, at.slot, len(slots)), func(w *carrier) {
			piece := n.nextPiece(w, slots, &at, l.id)
			body, count = n.caches.appendItems(body[:0], piece), len(piece)
		})
		if count == 0 {
			continue
		}
		n.counts.copied.Add(uint64(count))
		if _, err := l.carry(ctx, kindPush, body); err != nil {
			return err
		}
	}
	return nil
}

// onPush takes a piece of what this node is going to own or back up.
func (n *Node) onPush(body []byte) error {
	d := decoder{b: body}
	items := n.caches.decodeItems(&d)
	n.staged(items)
	return d.err()
}

// bare is a grant or a sync without the content.
func bare(m *protocol.Message) *protocol.Message {
	if m.Kind != protocol.Grant && m.Kind != protocol.Sync || len(m.Content) == 0 {
		return m
	}
	b := *m
	b.Content, b.Large = nil, m.Kind == protocol.Grant
	return &b
}

package protocol

import (
	"fmt"
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
)

// A store's shard has several slots, and so what one slot needs room for may make
// another's tombstone go at any moment: between two items of a piece, or between two
// questions to the store.

// To make room for one item of a piece may evict the tombstone that keeps out the
// next one.
func TestTombstoneIsEvictedByThePiece(t *testing.T) {
	const size = 1000
	n, takes := taking(t, nil)
	store, err := cache.New(cache.Config{MaxValue: size, Budget: 4 * (cache.Overhead + cache.MaxKey + size), Clock: func() time.Duration { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	n.sh.Memory = store
	n.slot.term = Term{1, member(1)}
	deleted := cache.Ref{Hash: 1 << 32, Cache: 1, Key: "deleted"}
	large := cache.Ref{Hash: 2 << 32, Cache: 1, Key: "large"}
	if _, err := store.Put(deleted, cache.Entry{Kind: cache.Owned, Tombstone: true, Version: 10, Expires: now + later}); err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); ; i++ { // another slot's
		r := cache.Ref{Hash: i<<32 | 1, Cache: 1, Key: fmt.Sprint(i)}
		if st := store.Stats(); st.Bytes+cache.Overhead+int64(len(r.Key))+size > st.Budget {
			break
		}
		if _, err := store.Put(r, cache.Entry{Kind: cache.Owned, Version: 100, Value: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := store.Peek(deleted, cache.Owned); !ok {
		t.Fatal("the tombstone has gone too early")
	}
	var out Out
	for i, content := range [][]Item{
		{{Ref: large, Value: make([]byte, size), Version: 20}, {Ref: deleted, Value: []byte("old"), Version: 5}},
		nil,
	} {
		m := Message{Kind: Grant, Nonce: takes[i].Message.Nonce, Content: content, Have: cache.Digest{Count: uint32(len(content))}}
		if content != nil {
			m.Term = Term{2, member(0)}
		}
		n.slot.Handle(takes[i].To, &m, now, &out)
	}
	if e, ok := store.Peek(deleted, cache.Owned); ok && !e.Tombstone {
		t.Errorf("what was deleted is served again, with version %d", e.Version)
	}
}

// evicting is a memory that something happens to just before it answers.
type evicting struct {
	*memory
	beforeList, beforeDigest func()
}

func (e *evicting) AppendSlot(dst []cache.Item, slot int, kinds cache.Kinds) []cache.Item {
	if e.beforeList != nil {
		e.beforeList()
	}
	return e.memory.AppendSlot(dst, slot, kinds)
}

func (e *evicting) Digest(slot int, kinds cache.Kinds) cache.Digest {
	if e.beforeDigest != nil && kinds == cache.OwnedOnly {
		e.beforeDigest()
	}
	return e.memory.Digest(slot, kinds)
}

// A tombstone that goes while a grant is made is in it, or in its floor.
func TestTombstoneIsEvictedDuringAGrant(t *testing.T) {
	sc := scenario{tabs: []tab{ownA}}
	sc.prepare()
	n := newNode(member(1), sc.limits(), false)
	n.slot.Switch(sc.tables[0], false, now, &Out{})
	n.slot.term = Term{1, member(1)}
	_, _ = n.mem.Put(ref, cache.Entry{Kind: cache.Owned, Tombstone: true, Version: 10})
	n.sh.Memory = &evicting{memory: &n.mem, beforeList: n.mem.evict}
	var out Out
	n.slot.Handle(member(0), &Message{Kind: Take, Nonce: 1, Digest: sc.tables[0].Digest}, now, &out)
	if g := sent(&out, Grant)[0].Message; len(g.Content) == 0 && g.Floor < 10 {
		t.Errorf("floor %d, content %v", g.Floor, g.Content)
	}
}

// One that goes while the taker looks at its own copy is in its floor, which keeps out
// what it had deleted.
func TestTombstoneIsEvictedAtTheTaker(t *testing.T) {
	n, takes := taking(t, nil)
	n.slot.term = Term{1, member(1)}
	_, _ = n.mem.Put(ref, cache.Entry{Kind: cache.Owned, Tombstone: true, Version: 10})
	mem := &evicting{memory: &n.mem}
	n.sh.Memory = mem
	var out Out
	n.slot.Handle(takes[0].To, &Message{Kind: Grant, Nonce: takes[0].Message.Nonce, Term: Term{2, member(0)}, Content: item(1, 5), Have: cache.Digest{Count: 1}}, now, &out)
	mem.beforeDigest = n.mem.evict
	n.slot.Handle(takes[1].To, &Message{Kind: Grant, Nonce: takes[1].Message.Nonce}, now, &out)
	if e, ok := n.mem.Peek(ref, cache.Owned); ok && !e.Tombstone {
		t.Errorf("what was deleted is served again, with version %d", e.Version)
	}
}

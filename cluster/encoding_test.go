package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

func newTestRegistry(t testing.TB) *registry {
	t.Helper()
	store, err := cache.New(cache.Config{Budget: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	r := newRegistry(1, store)
	for _, name := range []string{"a", "sessions"} {
		if _, err := r.space([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func testMessages(r *registry) []protocol.Message {
	sp := r.numbered(1)
	ref := cache.Ref{Hash: sp.hasher.hash("key"), Cache: 1, Key: "key"}
	gen := protocol.Generation{Count: 3, Raiser: 9}
	return []protocol.Message{
		{Kind: protocol.Take, Slot: slotCount - 1, Nonce: 7, Digest: 1 << 63, Clears: 1 << 62, Taken: 3, Have: cache.Digest{Count: 2, Sum: 5}},
		{
			Kind: protocol.Grant, Slot: 1, Nonce: 7, Digest: 8, Large: true, Taken: 6, Known: 12, Made: 13, Backed: 14,
			Spends: []protocol.Spend{{To: 4, Nonce: 2, First: 1, Backups: []protocol.Member{5, 1 << 63}}, {To: 5, Nonce: 3, First: 3}},
			Term:   protocol.Term{Count: 11, Raiser: 3}, Have: cache.Digest{Count: 1, Sum: 1}, Floor: 99, Version: 1 << 60,
			Generations: []protocol.CacheGeneration{{Cache: 0, Generation: gen}, {Cache: 1, Generation: gen}},
			Content: []protocol.Item{
				{Ref: ref, Value: []byte("value"), Version: 5, Count: 3, Left: time.Second},
				{Ref: ref, Version: 6, Tombstone: true, Negative: true, Short: true},
			},
		},
		{Kind: protocol.Done, Slot: 5, Digest: 6, Term: protocol.Term{Count: 1, Raiser: 2}},
		{Kind: protocol.Held, Slot: 5, Digest: 6, Urgent: true},
		{Kind: protocol.Revoke, Slot: slotOf(ref.Hash), Nonce: 4, Ref: ref},
		{Kind: protocol.Revoked, Slot: slotOf(ref.Hash), Nonce: 4, Ref: ref},
		{Kind: protocol.Stage, Slot: slotOf(ref.Hash), Ref: ref, Content: []protocol.Item{{Ref: ref, Value: []byte{}, Version: 1}}},
		{Kind: protocol.Clear, Nonce: 4, Ref: cache.Ref{Cache: 1}, Generation: gen},
		{Kind: protocol.Cleared, Nonce: 4, Ref: cache.Ref{Cache: 1}, Generation: gen, Prior: 2, Members: []protocol.Member{1, 2}},
		{
			Kind: protocol.Sync, Slot: 1, Nonce: 7, Digest: 8, Term: protocol.Term{Count: 11, Raiser: 3},
			Have: cache.Digest{Count: 1, Sum: 1}, Floor: 99, Version: 1 << 60,
			Generations: []protocol.CacheGeneration{{Cache: 1, Generation: gen}},
			Content:     []protocol.Item{{Ref: ref, Value: []byte("value"), Version: 5, Count: 3, Left: time.Second}},
		},
		{Kind: protocol.Sync, Slot: 1, Nonce: 7, Digest: 8, Large: true, Have: cache.Digest{Count: 1 << 20, Sum: 1}, Generations: []protocol.CacheGeneration{}},
		{Kind: protocol.Synced, Slot: 1, Nonce: 7, Term: protocol.Term{Count: 11, Raiser: 3}},
		{Kind: protocol.Synced, Slot: 1, Nonce: 7, Known: 12},
		{
			Kind: protocol.Replicate, Slot: slotOf(ref.Hash), Nonce: 7, Known: 6, Term: protocol.Term{Count: 11, Raiser: 3}, Ref: ref, Version: 5,
			Content: []protocol.Item{{Ref: ref, Version: 5, Count: 3, Left: time.Second, Tombstone: true}},
		},
		{Kind: protocol.Replicate, Slot: slotOf(ref.Hash), Nonce: 7, Known: 7, Term: protocol.Term{Count: 11, Raiser: 3}, Ref: ref, Version: 6},
		{Kind: protocol.Replicated, Slot: slotOf(ref.Hash), Nonce: 7, Term: protocol.Term{Count: 11, Raiser: 3}, Ref: ref},
	}
}

// Every message comes back as it was sent.
func TestMessagesThereAndBack(t *testing.T) {
	r := newTestRegistry(t)
	for _, m := range testMessages(r) {
		b := r.appendMessage(nil, &m)
		got, ok, err := r.decodeMessage(b[4:])
		if !ok || err != nil {
			t.Errorf("%v: %v, %v", m.Kind, ok, err)
			continue
		}
		for i := range m.Content { // nil and empty are one on the wire
			if len(m.Content[i].Value) == 0 {
				m.Content[i].Value, got.Content[i].Value = nil, nil
			}
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%v:\n got %+v\nwant %+v", m.Kind, got, m)
		}
		for cut := range len(b) - 4 {
			if _, _, err := r.decodeMessage(b[4 : 4+cut]); err == nil && cut > 0 {
				t.Errorf("%v cut to %d of %d bytes is accepted", m.Kind, cut, len(b)-4)
			}
		}
	}
}

func TestAnswersThereAndBack(t *testing.T) {
	n := &Node{}
	n.members = newRoster(n, record{ID: 1, State: joining, Name: "n"})
	gen := protocol.Generation{Count: 3, Raiser: 9}
	for _, a := range []protocol.Answer{
		{Status: protocol.Found, Lease: true, Loaded: true, Version: 4, Count: 3, Left: time.Second, Generation: gen, Value: []byte("v")},
		{Status: protocol.Missing, Generation: gen},
		{Status: protocol.Written},
		{Status: protocol.Partial, Unconfirmed: []protocol.Member{4, 5}},
		{Status: protocol.NotMine},
		{Status: protocol.NotExecuted},
		{Status: protocol.Unavailable},
		{Status: protocol.Overloaded},
		{Status: protocol.Failed, Err: remoteError("broken")},
		{Status: protocol.Failed, Err: errNoLoader},
	} {
		b := n.appendAnswer(nil, &a)
		var got protocol.Answer
		_, err := decodeAnswer(b, &got)
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%v:\n got %+v, %v\nwant %+v", a.Status, got, err, a)
		}
	}
}

func TestRecordThereAndBack(t *testing.T) {
	want := record{Speaks: spoken, ID: 5, State: leaving, Name: "n", Gossip: "10.0.0.1:7946", Peer: "10.0.0.1:7947", Near: 5 * time.Second}
	b := want.append(nil)
	d := decoder{b: b}
	if got := d.record(); got != want || d.err() != nil {
		t.Errorf("%+v, %v", got, d.err())
	}
	longest := record{Speaks: spoken, ID: 1, State: active, Name: string(make([]byte, maxName)), Gossip: longestAddr, Peer: longestAddr, Near: MaxNearTTL}
	if n := len(longest.append(nil)); n > maxRecord {
		t.Errorf("a record may have %d bytes, which is over gossip's %d", n, maxRecord)
	}
}

const longestAddr = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%interface]:65535"

// Bytes of a peer may be anything.
func FuzzDecode(f *testing.F) {
	r := newTestRegistry(f)
	for _, m := range testMessages(r) {
		f.Add(r.appendMessage(nil, &m)[4:])
	}
	rec := record{Speaks: spoken, ID: 5, State: leaving, Name: "n"}
	f.Add(rec.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newTestRegistry(t)
		if m, ok, err := r.decodeMessage(b); ok && err == nil {
			again := r.appendMessage(nil, &m)
			if _, _, err := r.decodeMessage(again[4:]); err != nil {
				t.Errorf("what was understood is not after it was written again: %v", err)
			}
		} else if err != nil && !errors.Is(err, errShort) {
			t.Errorf("error is %v", err)
		}
		_, _ = decodeAnswer(b, new(protocol.Answer))
		d := decoder{b: b}
		d.record()
		d = decoder{b: b}
		r.decodeItems(&d)
		d = decoder{b: b}
		r.decodeGenerations(&d)
	})
}

// What a later minor version says more of is passed over.
func TestLaterVersionsMaySayMore(t *testing.T) {
	r := newTestRegistry(t)
	for _, m := range testMessages(r) {
		b := r.appendMessage(nil, &m)[4:]
		got, ok, err := r.decodeMessage(append(b, "more"...))
		if err != nil || !ok || !bytes.Equal(r.appendMessage(nil, &got)[4:], b) {
			t.Errorf("%v: %+v, %v\nwant %+v", m.Kind, got, err, m)
		}
	}

	want := record{Speaks: spoken, ID: 5, State: active, Name: "n"}
	longer := append(want.append(nil), "more"...)
	longer[1] += 4
	d := decoder{b: append(longer, want.append(nil)...)}
	for range 2 {
		if got := d.record(); got != want || d.bad {
			t.Errorf("in a list after a longer one: %+v, %v", got, d.err())
		}
	}

	other := record{Speaks: wire.Version{Major: spoken.Major + 1}, ID: 5, State: active, Name: "n"}
	d = decoder{b: other.append(nil)}
	if got := d.record(); got.Speaks != other.Speaks || got.ID != 0 || d.err() != nil {
		t.Errorf("a record of another major version: %+v, %v", got, d.err())
	}

	it := protocol.Item{Ref: testMessages(r)[0].Ref, Value: []byte("v"), Version: 7}
	for _, m := range testMessages(r) {
		if m.Ref.Key != "" {
			it.Ref = m.Ref
		}
	}
	one := r.appendItem(nil, &it, false)
	flags := 1 + len(r.numbered(it.Ref.Cache).name) + 1 + len(it.Ref.Key)
	one[flags] |= itemMore
	list := binary.AppendUvarint(nil, 2)
	list = append(append(append(list, one...), 4), "more"...)
	list = r.appendItem(list, &it, true)
	d = decoder{b: list}
	if got := r.decodeItems(&d); len(got) != 2 || !reflect.DeepEqual(got[0], it) || !reflect.DeepEqual(got[1], it) {
		t.Errorf("an item with more: %+v, %v", got, d.err())
	}
}

// An item of a cache that there is no place for is left out, and the others of
// the same message are understood.
func TestItemsOfTooManyCaches(t *testing.T) {
	full := newRegistry(1, newTestRegistry(t).store)
	r := newTestRegistry(t)
	late, err := r.space([]byte("late"))
	if err != nil {
		t.Fatal(err)
	}
	early, err := r.space([]byte("early"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxCaches {
		name := fmt.Sprint("cache", i)
		if i == 0 {
			name = "early"
		}
		if _, err := full.space([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	var items []protocol.Item
	for i, s := range []*space{late, late, early, late, early} {
		key := fmt.Sprint("k", i)
		items = append(items, protocol.Item{Ref: cache.Ref{Hash: s.hasher.hash(key), Cache: s.number, Key: key}, Value: []byte("v"), Version: uint64(i + 1)})
	}
	d := decoder{b: r.appendItems(nil, items)}
	got := full.decodeItems(&d)
	if d.err() != nil || len(got) != 2 || got[0].Ref.Key != "k2" || got[1].Ref.Key != "k4" {
		t.Errorf("%+v, %v", got, d.err())
	}
}

// What goes between nodes of all caches fits into a frame.
func TestAllGenerationsFit(t *testing.T) {
	r := newRegistry(1, newTestRegistry(t).store)
	for i := range maxCaches {
		s, err := r.space(fmt.Appendf(nil, "%0*d", maxCacheLen, i))
		if err != nil {
			t.Fatal(err)
		}
		r.Merge(s.number, protocol.Generation{Count: math.MaxUint64, Raiser: math.MaxUint64})
	}
	n := &Node{cfg: Config{MaxValue: DefaultMaxValue}}
	members := maxRecords * 512 // bytes, at most
	if size := len(r.appendGenerations(nil, r.Append(nil))); size+members > n.maxFrame() {
		t.Errorf("%d bytes of generations, and %d of members, into frames of %d", size, members, n.maxFrame())
	}
}

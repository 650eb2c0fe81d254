package protocol

import (
	"errors"
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
)

func TestWriteRefused(t *testing.T) {
	idle := func(t *testing.T) *node {
		t.Helper()
		sc := scenario{tabs: []tab{ownA}}
		sc.prepare()
		return newNode(member(1), sc.limits(), false)
	}
	for _, tt := range []struct {
		name string
		node func(*testing.T) *node
		call WriteCall
		want Status
	}{
		{"by another than the owner", idle, set(1, 1, never), NotMine},
		{"past its deadline", func(t *testing.T) *node { return serving(t, nil) }, set(1, 1, now), NotExecuted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := tt.node(t)
			var out Out
			n.slot.Write(tt.call, now, &out)
			wantStatus(t, &out, map[Call]Status{1: tt.want})
			if n.mem.has[cache.Owned] {
				t.Error("something was written")
			}
		})
	}
}

// lentToB returns A with write 1 in place, which is lent to B.
func lentToB(t *testing.T, limits func(*Shared)) *node {
	t.Helper()
	n := serving(t, limits)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 1, nearFor), now, &out)
	return n
}

func TestWritesOfAKeyQueue(t *testing.T) {
	n := lentToB(t, func(sh *Shared) { sh.MaxQueued = 1 })
	var out Out
	n.slot.Write(set(3, 3, never), now, &out)
	n.slot.Write(set(4, 4, never), now, &out)
	n.slot.Write(set(5, 5, never), now, &out)
	nonce := sent(&out, Revoke)[0].Message.Nonce
	wantStatus(t, &out, map[Call]Status{5: Overloaded})
	n.slot.Handle(member(2), &Message{Kind: Revoked, Ref: ref, Nonce: nonce}, now, &out)
	n.slot.Handle(member(1), &Message{Kind: Revoked, Ref: ref, Nonce: nonce + 7}, now, &out)
	wantStatus(t, &out, nil)
	n.slot.Handle(member(1), &Message{Kind: Revoked, Ref: ref, Nonce: nonce}, now, &out)
	wantStatus(t, &out, map[Call]Status{3: Written, 4: Written})
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Value[0] != 4 || e.Version != 3 {
		t.Errorf("the entry is %d v%d, want 4 v3", e.Value[0], e.Version)
	}
}

func TestWriteDeadlines(t *testing.T) {
	const soon = now + nearFor/2
	n := lentToB(t, nil)
	var out Out
	n.slot.Write(set(3, 3, soon), now, &out)
	n.slot.Write(set(4, 4, soon), now, &out)
	n.slot.Write(del(5, soon+1), now, &out)
	out.Reset()
	n.slot.Tick(soon, &out)
	// The next one in the queue has begun: the delete, which waits for all.
	if got := sent(&out, Revoke); len(got) != 2 {
		t.Errorf("%d revocations for the delete, want 2", len(got))
	}
	wantStatus(t, &out, map[Call]Status{3: NotExecuted, 4: NotExecuted})
	n.slot.Tick(soon+1, &out)
	if len(out.Answers) != 1 || len(out.Answers[0].Unconfirmed) != 2 {
		t.Fatalf("answers %+v, want one that names two members", out.Answers)
	}
	wantStatus(t, &out, map[Call]Status{5: Partial})
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Tombstone {
		t.Error("the key is deleted before all near copies are back")
	}
	n.slot.Tick(soon+2, &out)
	wantStatus(t, &out, nil) // once is enough
	n.slot.Tick(soon+nearFor, &out)
	wantStatus(t, &out, nil)
	if e, _ := n.mem.Peek(ref, cache.Owned); !e.Tombstone {
		t.Error("the work on a delete that was answered Partial did not go on")
	}
}

func TestRevocationsAreSentAgain(t *testing.T) {
	n := lentToB(t, func(sh *Shared) { sh.Resend = 10 })
	var out Out
	n.slot.Write(set(3, 3, never), now, &out)
	out.Reset()
	n.slot.Tick(now+9, &out)
	if got := sent(&out, Revoke); len(got) != 0 {
		t.Errorf("%d revocations before it is time", len(got))
	}
	n.slot.Tick(now+10, &out)
	if got := sent(&out, Revoke); len(got) != 1 {
		t.Errorf("%d revocations when it is time, want 1", len(got))
	}
}

// What takes the place of something that could have lived longer says so, also
// when it has been overwritten itself; and so do its copies.
func TestShortLives(t *testing.T) {
	n := serving(t, nil)
	n.mem.RaiseFloor(0, 5)
	for i, tt := range []struct {
		ttl   time.Duration
		short bool
	}{{0, false}, {later, true}, {2 * later, true}, {0, false}, {4 * later, true}} {
		var out Out
		n.slot.revokeAll = 0
		n.slot.Write(WriteCall{Call: 1, Ref: ref, Value: values[1], TTL: tt.ttl, Deadline: never}, now, &out)
		if e, _ := n.mem.Peek(ref, cache.Owned); e.Short != tt.short || n.slot.Content(now)[0].Short != tt.short {
			t.Errorf("write %d: short is %t, want %t", i, e.Short, tt.short)
		}
	}
	for i, tt := range []struct {
		first, second time.Duration
		short         bool
	}{{later, later, false}, {later, 2 * later, false}, {2 * later, later, true}} {
		var out Out
		n := serving(t, nil)
		n.slot.revokeAll = 0
		for _, ttl := range []time.Duration{tt.first, tt.second} {
			n.slot.Write(WriteCall{Call: 1, Ref: ref, Value: values[1], TTL: ttl, Deadline: never}, now, &out)
		}
		if e, _ := n.mem.Peek(ref, cache.Owned); e.Short != tt.short {
			t.Errorf("pair %d: short is %t, want %t", i, e.Short, tt.short)
		}
	}
}

func TestDeleteIsBroadcastAndRemembered(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.slot.Write(WriteCall{Call: 1, Ref: ref, Value: values[1], TTL: 3 * later, Deadline: never}, now, &out)
	out.Reset()
	n.slot.Write(del(2, never), now, &out)
	revokes := sent(&out, Revoke)
	if len(revokes) != 2 {
		t.Fatalf("%d revocations, want 2", len(revokes))
	}
	for _, e := range revokes {
		n.slot.Handle(e.To, &Message{Kind: Revoked, Ref: ref, Nonce: e.Message.Nonce}, now, &out)
	}
	wantStatus(t, &out, map[Call]Status{2: Written})
	if e, _ := n.mem.Peek(ref, cache.Owned); !e.Tombstone || e.Value != nil || e.Expires != now+3*later {
		t.Errorf("left is %+v, want a tombstone as long as the value would have lived", e)
	}
}

func TestLostSlotRefusesItsWrites(t *testing.T) {
	sc := scenario{tabs: []tab{ownB}}
	sc.prepare()
	n := lentToB(t, nil)
	var out Out
	n.slot.Write(del(3, now+1), now, &out)
	n.slot.Tick(now+1, &out)
	n.slot.Write(set(4, 4, never), now, &out)
	wantStatus(t, &out, map[Call]Status{3: Partial})
	n.slot.Switch(sc.tables[0], false, now, &out)
	if len(out.Again) != 1 || out.Again[0] != ref {
		t.Errorf("to be deleted again: %v, want the key", out.Again)
	}
	wantStatus(t, &out, map[Call]Status{4: NotExecuted})
	if n.slot.leases != 0 || len(n.slot.keys) != 0 || n.slot.Active() {
		t.Errorf("left are %d leases and %d keys", n.slot.leases, len(n.slot.keys))
	}
}

// full is a Memory that has no room.
type full struct{ *memory }

func (full) Put(cache.Ref, cache.Entry) (cache.Result, error) { return 0, errors.New("full") }

func TestWhatDoesNotFitIsForgotten(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.sh.Memory = full{&n.mem}
	n.slot.Write(set(2, 2, never), now, &out)
	if n.mem.has[cache.Owned] || n.mem.floor != 2 {
		t.Errorf("the old value is there: %t; the floor is %d, want 2", n.mem.has[cache.Owned], n.mem.floor)
	}
}

func TestNewOwnerRevokesEverywhere(t *testing.T) {
	n := serving(t, nil)
	n.slot.revokeAll = now + nearFor
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	if got := sent(&out, Revoke); len(got) != 2 {
		t.Errorf("%d revocations, want 2", len(got))
	}
	wantStatus(t, &out, nil)
	n.slot.Tick(now+nearFor, &out)
	n.slot.Write(set(2, 2, never), now+nearFor+time.Nanosecond, &out)
	wantStatus(t, &out, map[Call]Status{1: Written, 2: Written})
}

// A write does not wait for backups whose turn has not come, however its leases ended.
func TestWriteHurriesAHeldSync(t *testing.T) {
	sc := scenario{tabs: []tab{ownA, ownAB}}
	sc.prepare()
	sh := sc.limits()
	sh.Resend, sh.Paced = time.Hour, true
	n := newNode(member(0), sh, false)
	var out Out
	n.slot.Switch(sc.tables[0], false, now, &out)
	n.slot.Proceed(now, &out)
	for _, e := range sent(&out, Take) {
		n.slot.Handle(e.To, &Message{Kind: Grant, Nonce: e.Message.Nonce}, now, &out)
	}
	n.slot.revokeAll = 0
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 2, nearFor), now, &out) // lent to C
	n.slot.Switch(sc.tables[1], false, now, &out)
	if !n.slot.Waits() {
		t.Fatal("the sync is not held back")
	}
	out.Reset()
	n.slot.Write(set(3, 2, now+10*nearFor), now, &out)
	n.slot.Tick(now+nearFor, &out) // C is silent, and its lease over
	if n.slot.Waits() || len(sent(&out, Sync)) == 0 {
		t.Error("a write waits for a sync that is held back")
	}
}

package protocol

import (
	"errors"
	"testing"

	"github.com/peercache/peercache/cache"
)

func loadBy(call Call, from uint8) Get {
	g := read(call, from, nearFor)
	g.Load = true
	return g
}

func TestLoadOnceForAll(t *testing.T) {
	n := serving(t, nil)
	var out Out
	for call := Call(1); call <= 3; call++ {
		n.slot.Get(loadBy(call, uint8(call)%3), now, &out)
	}
	if len(out.Loads) != 1 {
		t.Fatalf("%d loaders run, want 1", len(out.Loads))
	}
	id := out.Loads[0].ID
	wantStatus(t, &out, nil)
	n.slot.Loaded(id, ref, Loaded{Value: values[7], TTL: later}, now, &out)
	for _, a := range out.Answers {
		if !a.Loaded || a.Lease || a.Value[0] != 7 {
			t.Errorf("answer %+v, want a loaded 7 without a lease", a)
		}
	}
	wantStatus(t, &out, map[Call]Status{1: Found, 2: Found, 3: Found})
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Value[0] != 7 || e.Expires != now+later {
		t.Errorf("stored is %+v", e)
	}
	if n.slot.Busy() {
		t.Error("the slot is still busy")
	}
}

func TestLoadResult(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name     string
		result   Loaded
		during   func(*node, *Out)
		want     Status
		stored   uint8 // value; 0: none
		negative bool
	}{
		{name: "a value", result: Loaded{Value: values[7]}, want: Found, stored: 7},
		{name: "an error", result: Loaded{Err: broken}, want: Failed},
		{name: "nothing, not remembered", result: Loaded{Missing: true}, want: Missing},
		{name: "nothing, remembered", result: Loaded{Missing: true, Recall: later}, want: Missing, negative: true},
		{name: "a value that was overwritten meanwhile", result: Loaded{Value: values[7]}, want: Found, stored: 2, during: func(n *node, out *Out) {
			n.slot.Write(set(9, 2, never), now, out)
		}},
		{name: "overwritten and evicted meanwhile", result: Loaded{Value: values[7]}, want: Found, during: func(n *node, out *Out) {
			n.slot.Write(set(9, 2, never), now, out)
			n.mem.evict()
		}},
		{name: "cleared meanwhile", result: Loaded{Value: values[7]}, want: Found, during: func(n *node, _ *Out) {
			n.gen.Raise(1, Generation{})
		}},
		{name: "the slot was lost meanwhile", result: Loaded{Value: values[7]}, want: Found, during: func(n *node, out *Out) {
			sc := scenario{tabs: []tab{ownB}}
			sc.prepare()
			n.slot.Switch(sc.tables[0], false, now, out)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := serving(t, nil)
			var out Out
			n.slot.Get(loadBy(1, 1), now, &out)
			id := out.Loads[0].ID
			if tt.during != nil {
				tt.during(n, &out)
			}
			out.Reset()
			n.slot.Loaded(id, ref, tt.result, now, &out)
			wantStatus(t, &out, map[Call]Status{1: tt.want})
			e, ok := n.mem.Peek(ref, cache.Owned)
			switch {
			case tt.negative:
				if !e.Negative || !e.Tombstone {
					t.Errorf("stored is %+v, want that there is nothing", e)
				}
				n.slot.Get(loadBy(2, 1), now, &out)
				wantStatus(t, &out, map[Call]Status{2: Missing})
			case ok != (tt.stored != 0) || ok && e.Value[0] != tt.stored:
				t.Errorf("stored is %+v, want %d", e, tt.stored)
			}
			n.slot.Loaded(id, ref, tt.result, now, &out)
			wantStatus(t, &out, nil) // it is over
		})
	}
}

func TestLoadAfterAWriteIsANewOne(t *testing.T) {
	n := serving(t, func(sh *Shared) { sh.MaxQueued = 2 })
	var out Out
	n.slot.Get(loadBy(1, 1), now, &out)
	n.slot.Write(set(2, 2, never), now, &out)
	n.mem.evict()
	n.slot.Get(loadBy(3, 1), now, &out)
	n.gen.Raise(1, Generation{})
	n.slot.Get(loadBy(4, 1), now, &out)
	if len(out.Loads) != 2 || out.Loads[0].ID == out.Loads[1].ID {
		t.Fatalf("loaders %v, want two", out.Loads)
	}
	wantStatus(t, &out, map[Call]Status{2: Written, 4: Overloaded})
}

func TestLoadRevokesFirst(t *testing.T) {
	n := lentToB(t, nil)
	n.mem.evict()
	var out Out
	n.slot.Get(loadBy(3, 2), now, &out)
	if len(out.Loads) != 0 || len(sent(&out, Revoke)) != 1 {
		t.Fatalf("%d loaders and %d revocations, want the revocation first", len(out.Loads), len(sent(&out, Revoke)))
	}
	n.slot.Write(set(4, 4, never), now, &out) // waits behind it
	nonce := sent(&out, Revoke)[0].Message.Nonce
	n.slot.Handle(member(1), &Message{Kind: Revoked, Ref: ref, Nonce: nonce}, now, &out)
	if len(out.Loads) != 1 {
		t.Fatalf("%d loaders, want 1", len(out.Loads))
	}
	id := out.Loads[0].ID
	wantStatus(t, &out, map[Call]Status{4: Written})
	n.slot.Loaded(id, ref, Loaded{Value: values[3]}, now, &out)
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Value[0] != 4 {
		t.Errorf("stored is %d, want 4", e.Value[0])
	}
}

// A load that runs while the slot is lost and comes back takes no further
// readers: the key may have been written by another owner in between.
func TestLoadAcrossALoss(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.slot.Get(loadBy(1, 0), now, &out)
	id := out.Loads[0].ID
	out.Reset()
	sc := scenario{tabs: []tab{ownA, ownB}}
	sc.prepare()
	n.slot.Switch(sc.tables[1], false, now, &out)
	out.Reset()
	n.slot.Switch(sc.tables[0], false, now, &out)
	for _, e := range sent(&out, Take) {
		g := &Message{Kind: Grant, Nonce: e.Message.Nonce}
		if e.To == member(1) { // deleted the key while it served
			g.Term, g.Have = Term{9, member(1)}, digestOf(1)
			g.Content = []Item{{Ref: ref, Version: 77, Tombstone: true, Left: later}}
		}
		n.slot.Handle(e.To, g, now, &out)
	}
	if !n.slot.Active() {
		t.Fatal("the slot is not active again")
	}
	out.Reset()
	n.slot.Get(loadBy(2, 0), now, &out)
	if len(sent(&out, Revoke)) == 0 {
		t.Error("no new load begins")
	}
	out.Reset()
	n.slot.Loaded(id, ref, Loaded{Value: values[7]}, now, &out)
	if len(out.Answers) != 1 || out.Answers[0].Call != 1 {
		t.Errorf("answers %+v, want one to the first reader", out.Answers)
	}
	if e, ok := n.mem.Peek(ref, cache.Owned); ok && !e.Tombstone {
		t.Errorf("what the old load found is stored: %+v", e)
	}
}

// With as many readers as may wait, one more is refused, and no second loader
// runs.
func TestLoadHasRoomForSoMany(t *testing.T) {
	n := serving(t, func(sh *Shared) { sh.MaxParked = 1 })
	var out Out
	n.slot.Get(loadBy(1, 1), now, &out)
	n.slot.Get(loadBy(2, 1), now, &out)
	if len(out.Loads) != 1 || len(out.Answers) != 1 || out.Answers[0].Status != Overloaded {
		t.Errorf("%d loads, answers %+v", len(out.Loads), out.Answers)
	}
}

// A load that finds the queue of its key's writes full is refused, and the key can be
// loaded later.
func TestLoadBehindAFullQueue(t *testing.T) {
	n := serving(t, func(sh *Shared) { sh.MaxQueued = 1 })
	const soon = now + 5
	var out Out
	n.slot.Write(del(1, soon), now, &out) // waits for all members
	n.slot.Write(set(2, 2, soon), now, &out)
	n.slot.Get(loadBy(3, 1), now, &out)
	wantStatus(t, &out, map[Call]Status{3: Overloaded})
	n.slot.Tick(soon, &out)
	n.slot.Tick(now+nearFor, &out)
	out.Reset()
	n.slot.Get(loadBy(4, 1), now+2*nearFor, &out)
	n.slot.Tick(now+3*nearFor, &out)
	if len(out.Loads) != 1 {
		t.Errorf("%d loads", len(out.Loads))
	}
}

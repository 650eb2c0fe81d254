package protocol

import (
	"testing"

	"github.com/peercache/peercache/cache"
)

func TestLend(t *testing.T) {
	const d = 4 // is no member
	for _, tt := range []struct {
		name    string
		get     Get
		limits  func(*Shared)
		before  func(*node, *Out)
		lent    bool
		records int
	}{
		{name: "to a member", get: read(9, 1, nearFor), lent: true, records: 1},
		{name: "again to the same", get: read(9, 1, nearFor), lent: true, records: 1, before: func(n *node, out *Out) {
			n.slot.Get(read(1, 1, nearFor), now, out)
		}},
		{name: "to who wants none", get: read(9, 1, 0)},
		{name: "to a stranger", get: read(9, d, nearFor)},
		{name: "to itself", get: read(9, 0, nearFor)},
		{name: "to too many", get: read(9, 2, nearFor), records: 1, limits: func(sh *Shared) { sh.MaxLeases = 1 }, before: func(n *node, out *Out) {
			n.slot.Get(read(1, 1, nearFor), now, out)
		}},
		{name: "to too many of all slots", get: read(9, 2, nearFor), records: 1, limits: func(sh *Shared) { sh.Leases = NewAllowance(1) }, before: func(n *node, out *Out) {
			n.slot.Get(read(1, 1, nearFor), now, out)
		}},
		{name: "while it is written", get: read(9, 2, nearFor), records: 1, before: func(n *node, out *Out) {
			n.slot.Get(read(1, 1, nearFor), now, out)
			n.slot.Write(set(2, 2, never), now, out)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := serving(t, tt.limits)
			var out Out
			n.slot.Write(set(1, 1, never), now, &out)
			if tt.before != nil {
				tt.before(n, &out)
			}
			out.Reset()
			n.slot.Get(tt.get, now, &out)
			if len(out.Answers) != 1 || out.Answers[0].Status != Found || out.Answers[0].Value[0] != 1 {
				t.Fatalf("answers %+v, want one that is found", out.Answers)
			}
			if out.Answers[0].Lease != tt.lent {
				t.Errorf("lent: %t, want %t", out.Answers[0].Lease, tt.lent)
			}
			if a := n.sh.Leases; a != nil {
				n.slot.Tick(now+nearFor+pruneEvery, &out)
				if a.Used() != 0 {
					t.Errorf("%d leases count still when all have ended", a.Used())
				}
				return
			}
			if n.slot.leases != tt.records {
				t.Errorf("%d leases are recorded, want %d", n.slot.leases, tt.records)
			}
		})
	}
}

func TestLeaseEndsByItself(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 1, nearFor), now, &out)
	out.Reset()
	n.slot.Write(set(3, 2, never), now+1, &out)
	if got := sent(&out, Revoke); len(got) != 1 || got[0].To != member(1) {
		t.Fatalf("revocations %v, want one to B", got)
	}
	wantStatus(t, &out, nil)
	n.slot.Tick(now+nearFor-1, &out)
	wantStatus(t, &out, nil)
	n.slot.Tick(now+nearFor, &out)
	wantStatus(t, &out, map[Call]Status{3: Written})
	n.slot.Tick(now+nearFor+pruneEvery, &out)
	if n.slot.leases != 0 || n.slot.Busy() {
		t.Errorf("%d leases are left, busy: %t", n.slot.leases, n.slot.Busy())
	}
}

func TestEvictedEntryKeepsItsLeases(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 1, nearFor), now, &out)
	n.mem.Drop(ref, cache.OwnedOnly)
	out.Reset()
	n.slot.Write(set(3, 2, never), now, &out)
	if got := sent(&out, Revoke); len(got) != 1 {
		t.Errorf("%d revocations, want 1", len(got))
	}
}

func TestGoneHoldsNothing(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 1, nearFor), now, &out)
	n.slot.Write(set(3, 2, never), now, &out)
	out.Reset()
	n.slot.Gone(member(1), now, &out)
	wantStatus(t, &out, map[Call]Status{3: Written})
}

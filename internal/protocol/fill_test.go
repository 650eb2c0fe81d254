package protocol

import (
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
)

func TestFill(t *testing.T) {
	found := func() Answer {
		return Answer{Status: Found, Lease: true, Value: values[1], Version: 1}
	}
	for _, tt := range []struct {
		name   string
		answer func(*Answer)
		during func(*node)
		after  time.Duration
		near   bool // the reader keeps near copies
		hit    bool
		kept   bool
	}{
		{name: "lent", near: true, hit: true, kept: true},
		{name: "not lent", near: true, hit: true, answer: func(a *Answer) { a.Lease = false }},
		{name: "near copies are off", hit: true},
		{name: "missing", near: true, answer: func(a *Answer) { a.Status = Missing }},
		{name: "late", near: true, hit: true, after: nearFor},
		{name: "in time", near: true, hit: true, kept: true, after: nearFor - 1},
		{name: "cleared at the owner", near: true, answer: func(a *Answer) { a.Generation = Generation{Count: 1, Raiser: 1} }},
		{name: "cleared here", near: true, during: func(n *node) { n.gen.Raise(1, Generation{}) }},
		{name: "revoked meanwhile", near: true, hit: true, during: func(n *node) {
			n.slot.Handle(member(0), &Message{Kind: Revoke, Ref: ref}, now, &Out{})
		}},
		{name: "another table meanwhile", near: true, hit: true, during: func(n *node) {
			n.slot.Switch(n.slot.table, false, now, &Out{})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sc := scenario{tabs: []tab{ownA}}
			sc.prepare()
			n := newNode(member(1), sc.limits(), false)
			n.slot.Switch(sc.tables[0], false, now, &Out{})
			g := read(1, 1, 0)
			if tt.near {
				g.Near = nearFor
			}
			f := n.slot.Begin(ref, g.Near, now)
			if tt.during != nil {
				tt.during(n)
			}
			a := found()
			if tt.answer != nil {
				tt.answer(&a)
			}
			if hit := n.slot.End(f, &a, now+tt.after); hit != tt.hit {
				t.Errorf("hit: %t, want %t", hit, tt.hit)
			}
			e, kept := n.mem.Peek(ref, cache.Near)
			if kept != tt.kept {
				t.Fatalf("kept: %t, want %t", kept, tt.kept)
			}
			if kept && e.LeaseEnd != now+nearFor {
				t.Errorf("the lease ends at %v, want %v after the question", e.LeaseEnd, nearFor)
			}
		})
	}
}

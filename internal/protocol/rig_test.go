package protocol

import (
	"testing"
	"time"
)

// The tests of single rules have one node, A, and play the others themselves.

// serving returns A as it serves the slot by a table that has A, B and C, with
// the last owner's leases over.
func serving(t *testing.T, limits func(*Shared)) *node {
	t.Helper()
	sc := scenario{tabs: []tab{ownA}}
	sc.prepare()
	sh := sc.limits()
	sh.Resend = time.Hour
	if limits != nil {
		limits(&sh)
	}
	n := newNode(member(0), sh, false)
	var out Out
	n.slot.Switch(sc.tables[0], false, now, &out)
	n.clears.Switch(sc.tables[0], &out)
	for _, e := range sent(&out, Take) {
		n.slot.Handle(e.To, &Message{Kind: Grant, Nonce: e.Message.Nonce}, now, &out)
	}
	if !n.slot.Active() {
		t.Fatal("the slot is not active")
	}
	n.slot.revokeAll = 0
	return n
}

// sent returns the messages of a kind.
func sent(out *Out, kind Kind) (list []Envelope) {
	for _, e := range out.Messages {
		if e.Message.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// statuses returns how the calls ended, and forgets what came out.
func statuses(out *Out) map[Call]Status {
	m := make(map[Call]Status)
	for _, a := range out.Answers {
		m[a.Call] = a.Status
	}
	out.Reset()
	return m
}

func wantStatus(t *testing.T, out *Out, want map[Call]Status) {
	t.Helper()
	got := statuses(out)
	for call, s := range want {
		if got[call] != s {
			t.Errorf("call %d ended with %v, want %v", call, got[call], s)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d calls ended (%v), want %d", len(got), got, len(want))
	}
}

func set(call Call, value uint8, deadline time.Duration) WriteCall {
	return WriteCall{Call: call, Ref: ref, Value: values[value], Deadline: deadline}
}

func del(call Call, deadline time.Duration) WriteCall {
	return WriteCall{Call: call, Ref: ref, Delete: true, Deadline: deadline}
}

func read(call Call, from uint8, near time.Duration) Get {
	return Get{Call: call, From: member(from), Ref: ref, Near: near, Deadline: never}
}

package protocol

import (
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
)

// withBackup returns A as it serves the slot by a table in which B keeps a
// copy of it.
func withBackup(t *testing.T, backups uint8, limits func(*Shared)) *node {
	t.Helper()
	sc := scenario{tabs: []tab{{members: inABC, owner: 0, backups: backups}}}
	sc.prepare()
	sh := sc.limits()
	sh.Resend = time.Hour
	if limits != nil {
		limits(&sh)
	}
	n := newNode(member(0), sh, false)
	var out Out
	n.slot.Switch(sc.tables[0], false, now, &out)
	for _, e := range sent(&out, Take) {
		n.slot.Handle(e.To, &Message{Kind: Grant, Nonce: e.Message.Nonce}, now, &out)
	}
	if n.slot.Active() {
		t.Fatal("the slot is active before its backups have it")
	}
	for _, e := range sent(&out, Sync) {
		n.slot.Handle(e.To, &Message{Kind: Synced, Nonce: e.Message.Nonce, Term: e.Message.Term}, now, &out)
	}
	if !n.slot.Active() {
		t.Fatal("the slot is not active though its backups have it")
	}
	n.slot.revokeAll = 0
	return n
}

// acknowledge answers the replications in out, and forgets what came out.
func acknowledge(n *node, out *Out) {
	list := sent(out, Replicate)
	out.Reset()
	for _, e := range list {
		m := e.Message
		n.slot.Handle(e.To, &Message{Kind: Replicated, Nonce: m.Nonce, Ref: m.Ref, Term: m.Term}, now, out)
	}
}

func TestSetWithBackups(t *testing.T) {
	for _, tt := range []struct {
		backups uint8
		want    int
	}{{inB, 1}, {inBC, 2}} {
		n := withBackup(t, tt.backups, nil)
		var out Out
		n.slot.Write(set(1, 1, never), now, &out)
		if len(out.Messages) != tt.want || len(sent(&out, Replicate)) != tt.want {
			t.Fatalf("%d messages, want %d, one to each backup", len(out.Messages), tt.want)
		}
		if n.mem.has[cache.Owned] || len(out.Answers) > 0 {
			t.Error("the value is visible before the backups have it")
		}
		acknowledge(n, &out)
		if len(out.Messages) != 0 {
			t.Errorf("%d more messages", len(out.Messages))
		}
		wantStatus(t, &out, map[Call]Status{1: Written})
		if !n.mem.has[cache.Owned] {
			t.Error("the value is not there")
		}
	}
}

// A Set whose backup does not answer is answered at its deadline, and goes on.
func TestSlowBackup(t *testing.T) {
	n := withBackup(t, inB, func(sh *Shared) { sh.Resend = 10 })
	var out Out
	n.slot.Write(set(1, 1, now+5), now, &out)
	first := sent(&out, Replicate)[0].Message
	out.Reset()
	n.slot.Write(set(2, 2, now+5), now, &out)
	n.slot.Write(del(3, now+50), now, &out)
	n.slot.Tick(now+5, &out)
	wantStatus(t, &out, map[Call]Status{1: Unavailable, 2: NotExecuted})
	n.slot.Tick(now+10, &out)
	again := sent(&out, Replicate)
	if len(again) != 1 || again[0].Message.Nonce != first.Nonce {
		t.Fatalf("sent again is %v, want the replication", again)
	}
	out.Reset()
	n.slot.Handle(member(1), &Message{Kind: Replicated, Nonce: first.Nonce, Ref: ref, Term: first.Term}, now+10, &out)
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Value == nil || e.Value[0] != 1 {
		t.Error("the Set is not done in the end")
	}
	n.slot.Tick(now+50, &out)
	if len(out.Answers) != 1 || out.Answers[0].Call != 3 || out.Answers[0].Status != Partial {
		t.Errorf("answers %+v, want Partial for the delete", out.Answers)
	}
}

func TestBackupRefuses(t *testing.T) {
	term := Term{3, member(0)}
	for _, tt := range []struct {
		name     string
		from     uint8
		term     Term
		accepted bool
	}{
		{"of the owner", 0, term, true},
		{"of another term", 0, Term{2, member(0)}, false},
		{"of who is not the owner", 2, term, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := backupB(t)
			var out Out
			n.slot.Handle(member(0), &Message{Kind: Sync, Nonce: 7, Digest: n.slot.table.Digest, Term: term}, now, &out)
			if got := sent(&out, Synced); len(got) != 1 || got[0].Message.Term != term {
				t.Fatalf("answers to the sync %+v", got)
			}
			out.Reset()
			n.slot.Handle(member(tt.from), &Message{Kind: Replicate, Nonce: 8, Known: 8, Ref: ref, Term: tt.term, Version: 1, Content: item(1, 1)}, now, &out)
			got := sent(&out, Replicated)
			if len(got) != 1 || got[0].Message.Term.held() != tt.accepted || n.mem.has[cache.Owned] != tt.accepted {
				t.Errorf("answered %+v, stored %t, want accepted %t", got, n.mem.has[cache.Owned], tt.accepted)
			}
		})
	}
}

// backupB returns B by a table in which it keeps a copy of A's slot.
func backupB(t *testing.T) *node {
	t.Helper()
	sc := scenario{tabs: []tab{ownAB}}
	sc.prepare()
	n := newNode(member(1), sc.limits(), false)
	n.slot.Switch(sc.tables[0], false, now, &Out{})
	return n
}

func TestSyncReplacesTheCopy(t *testing.T) {
	n := backupB(t)
	digest := n.slot.table.Digest
	var out Out
	n.slot.Handle(member(0), &Message{Kind: Sync, Nonce: 7, Digest: digest, Term: Term{3, member(0)}, Have: digestOf(2), Content: item(2, 2)}, now, &out)
	n.slot.Handle(member(0), &Message{Kind: Sync, Nonce: 8, Digest: digest, Term: Term{4, member(0)}, Have: digestOf(2), Floor: 9}, now, &out)
	if len(out.Fetches) != 0 || n.slot.Term() != (Term{4, member(0)}) || !n.mem.has[cache.Owned] || n.mem.floor != 9 {
		t.Errorf("the same content is not kept: term %v, floor %d, fetches %v", n.slot.Term(), n.mem.floor, out.Fetches)
	}
	out.Reset()
	n.slot.Handle(member(0), &Message{Kind: Sync, Nonce: 7, Digest: digest, Term: Term{3, member(0)}, Content: item(1, 1)}, now, &out)
	if n.slot.Term().Count != 4 || len(out.Messages) != 0 {
		t.Errorf("a late sync is taken: term %v, answers %v", n.slot.Term(), out.Messages)
	}
	n.slot.Handle(member(0), &Message{Kind: Sync, Nonce: 9, Digest: digest, Term: Term{5, member(0)}, Have: digestOf(3)}, now, &out)
	if len(out.Fetches) != 1 || out.Fetches[0].All || n.slot.Term().Count != 4 {
		t.Fatalf("fetches %+v, term %v", out.Fetches, n.slot.Term())
	}
	f := out.Fetches[0]
	if !n.slot.Fetched(f, &Piece{Items: item(3, 3), Last: true}, now, &out) || n.slot.Term().Count != 5 {
		t.Error("what was fetched is not taken")
	}
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Version != 3 {
		t.Errorf("the entry has version %d, want 3", e.Version)
	}
	out.Reset()
	n.slot.Handle(member(0), &Message{Kind: Sync, Nonce: 10, Digest: digest, Term: Term{6, member(0)}}, now, &out)
	if n.mem.has[cache.Owned] || n.slot.Term().Count != 6 {
		t.Error("an empty sync leaves something behind")
	}
}

// A write that a backup refused, because the slot is lost, is answered when the
// next owner serves.
func TestRefusedWriteIsHandedOn(t *testing.T) {
	sc := scenario{tabs: []tab{ownAB, ownCB}}
	sc.prepare()
	n := withBackup(t, inB, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	m := sent(&out, Replicate)[0].Message
	out.Reset()
	n.slot.Switch(sc.tables[1], false, now, &out)
	n.slot.Handle(member(2), &Message{Kind: Take, Nonce: 1, Digest: sc.tables[1].Digest}, now, &out)
	if len(sent(&out, Grant)) != 0 {
		t.Fatal("the slot is granted while a replication is under way")
	}
	n.slot.Handle(member(1), &Message{Kind: Replicated, Nonce: m.Nonce, Ref: ref}, now, &out)
	if g := sent(&out, Grant); len(g) != 1 || len(g[0].Message.Content) != 1 {
		t.Fatalf("grants %+v, want one with the write", g)
	}
	wantStatus(t, &out, nil)
	n.slot.Handle(member(2), &Message{Kind: Done, Digest: sc.tables[1].Digest, Term: Term{9, member(2)}}, now, &out)
	wantStatus(t, &out, map[Call]Status{1: Written})
	if n.slot.Holds() || n.slot.Busy() {
		t.Error("something is left")
	}
}

// A backup that is gone does not block a grant.
func TestDeadBackupIsForgotten(t *testing.T) {
	sc := scenario{tabs: []tab{ownAB, {members: inAC, owner: 2, backups: inA}}}
	sc.prepare()
	n := withBackup(t, inB, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Switch(sc.tables[1], false, now, &out)
	n.slot.Handle(member(2), &Message{Kind: Take, Nonce: 1, Digest: sc.tables[1].Digest}, now, &out)
	if len(sent(&out, Grant)) != 1 {
		t.Error("the slot is not granted")
	}
	wantStatus(t, &out, map[Call]Status{1: Written})
}

func TestWindow(t *testing.T) {
	var w window
	for _, tt := range []struct {
		number, low uint64
		fresh       bool
	}{{5, 3, true}, {5, 3, false}, {3, 3, true}, {4, 3, true}, {7, 6, true}, {5, 3, false}, {2, 3, false}, {6, 6, true}, {9, 9, true}} {
		if got := w.take(tt.number, tt.low); got != tt.fresh {
			t.Errorf("%d with all below %d over: fresh is %t, want %t", tt.number, tt.low, got, tt.fresh)
		}
	}
	if len(w.seen) != 1 {
		t.Errorf("%v is remembered, want the last one", w.seen)
	}
}

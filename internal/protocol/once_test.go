package protocol

import (
	"testing"

	"github.com/peercache/peercache/cache"
)

// evictedBeforeGrant is how A hands a write to C, but evicts it before.
func evictedBeforeGrant() []string {
	return []string{
		"A: starts set 2",
		"B: switches to table 1 (ABC, owner C, backups A)",
		"C: switches to table 1 (ABC, owner C, backups A)",
		"B <- replicate 6 from A with 2 v2",
		"A <- replicated 6 from B",
		"B <- take 1 from C",
		"C <- grant 1 from B with 1 v1",
		"A: switches to table 1 (ABC, owner C, backups A)",
		"A: evicts what it has",
		"A <- take 1 from C",
		"C <- grant 1 from A",
		"A <- sync 2 from C with 1 v1",
		"C <- synced 2 from A",
	}
}

// A write that its backup has refused, since the slot is lost, is in the old owner's
// copy alone. If it is evicted there before the new owner has it, the value that it
// was to overwrite is served again, and so it must not be acknowledged.
func TestHandedWriteIsEvicted(t *testing.T) {
	wantWell(t, "eviction, A->C->B, backup", append(evictedBeforeGrant(), "A <- done 0 from C")...)
}

// Nor is it because a Clear has removed it here of which the new owner has not heard.
func TestHandedWriteIsEvictedAndCleared(t *testing.T) {
	wantWell(t, "eviction, A->C, set+clear, backup",
		append(evictedBeforeGrant(), "A: starts clear 3", "A <- done 0 from C")...)
}

// Nor because the new owner's next write has come here, which is not visible yet.
func TestHandedWriteIsEvictedAndOverwritten(t *testing.T) {
	wantWell(t, "eviction, A->C, sets, two backups",
		"A: starts set 2",
		"B: switches to table 1 (ABC, owner C, backups AB)",
		"C: switches to table 1 (ABC, owner C, backups AB)",
		"B <- replicate 6 from A with 2 v2",
		"A <- replicated 6 from B",
		"B <- take 1 from C",
		"C <- grant 1 from B with 1 v1",
		"A: switches to table 1 (ABC, owner C, backups AB)",
		"A: evicts what it has",
		"A <- take 1 from C",
		"C <- grant 1 from A",
		"A <- sync 2 from C with 1 v1",
		"C <- synced 2 from A",
		"B <- sync 2 from C",
		"C <- synced 2 from B",
		"C: starts set 3",
		"C: what it lent to B ends",
		"C: what it lent to A ends",
		"A <- replicate 4 from C with 3 v3",
		"A <- done 0 from C",
	)
}

// What the new owner evicts while it merges is not replaced by what it was to
// overwrite either.
func TestHandedWriteIsEvictedWhileMerging(t *testing.T) {
	wantWell(t, "eviction, A->C->B, backup",
		"A: switches to table 1 (ABC, owner C, backups A)",
		"B: switches to table 1 (ABC, owner C, backups A)",
		"C: switches to table 1 (ABC, owner C, backups A)",
		"B <- take 1 from C",
		"A <- take 1 from C",
		"C <- grant 1 from A with 1 v1",
		"C <- grant 1 from B with 1 v1",
		"A <- sync 2 from C",
		"B: switches to table 2 (ABC, owner B, backups C)",
		"C <- synced 2 from A",
		"C: the last owner's leases end",
		"A: starts set 2",
		"A: switches to table 2 (ABC, owner B, backups C)",
		"A <- replicate 4 from C with 2 v2",
		"C <- replicated 4 from A",
		"C <- take 1 from B",
		"C: switches to table 2 (ABC, owner B, backups C)",
		"B <- grant 1 from C with 2 v2",
		"A <- take 1 from B",
		"B <- grant 1 from A",
		"B: evicts what it has",
		"A <- fetch for B",
		"B <- fetched from A 1 v1",
		"C <- sync 2 from B with tombstone v1",
		"B <- synced 2 from C",
		"A <- done 0 from B",
		"C <- done 0 from B",
	)
}

// A Clear after it removes such a write and what it was to overwrite: it was carried
// out.
func TestHandedWriteIsCleared(t *testing.T) {
	for _, clears := range []int{0, 1} {
		n := backupB(t)
		n.slot.handed = []handed{{call: writeCall(1), ref: ref, version: 5, deadline: noEnd, given: true}}
		want := Unavailable
		for range clears {
			n.sh.Generations.Raise(ref.Cache, Generation{})
			want = Written
		}
		var out Out
		n.slot.giveHanded()
		n.slot.answerHanded(&out)
		if len(out.Answers) != 1 || out.Answers[0].Status != want {
			t.Errorf("after %d clears: %+v, want %v", clears, out.Answers, want)
		}
	}
}

// While copies of two lineages are merged, the tombstone of one may be evicted before
// the contents of the other have come. What it deleted does not come back.
func TestTombstoneIsEvictedWhileMerging(t *testing.T) {
	wantWell(t, "split A from B and C, del, evict, backup",
		"the two sides are cut apart",
		"B: switches to table 2 (BC, owner B, backups C)",
		"C: switches to table 2 (BC, owner B, backups C)",
		"the cut is over",
		"C <- take 1 from B",
		"B <- grant 1 from C",
		"B: switches to table 3 (ABC, owner C, backups B)",
		"C <- sync 2 from B with 1 v1",
		"C: switches to table 3 (ABC, owner C, backups B)",
		"A: switches to table 1 (A, owner A)",
		"A: starts delete 2",
		"C: evicts what it has",
		"B <- take 1 from C",
		"A: switches to table 3 (ABC, owner C, backups B)",
		"C <- grant 1 from B",
		"A <- take 1 from C",
		"C <- grant 1 from A with tombstone v5",
		"C: evicts what it has",
		"B <- fetch for C",
		"C <- fetched from B 1 v1",
		"B <- sync 2 from C with tombstone v1",
		"C <- synced 2 from B",
	)
}

// A giver may evict a tombstone after its grant, before its contents are fetched. What
// that deleted does not come back from another lineage.
func TestTombstoneIsEvictedBeforeTheFetch(t *testing.T) {
	wantWell(t, "split A from B and C, del, evict, backup",
		"the two sides are cut apart",
		"B: switches to table 2 (BC, owner B, backups C)",
		"the cut is over",
		"C <- take 1 from B",
		"B: sends again what is unanswered",
		"C: switches to table 2 (BC, owner B, backups C)",
		"B: starts delete 2",
		"B <- grant 1 from C",
		"C <- sync 2 from B with 1 v1",
		"B <- synced 2 from C",
		"B: what it lent to C ends",
		"B: switches to table 3 (ABC, owner C, backups B)",
		"C <- replicate 4 from B with tombstone v2",
		"B <- replicated 4 from C",
		"C <- take 1 from B",
		"C: switches to table 3 (ABC, owner C, backups B)",
		"B <- take 1 from C",
		"B: evicts what it has",
		"C <- grant 1 from B",
		"A: switches to table 1 (A, owner A)",
		"A: switches to table 3 (ABC, owner C, backups B)",
		"A <- take 1 from C",
		"C <- grant 1 from A with 1 v1",
		"B <- fetch for C",
		"C <- fetched from B nothing",
		"B <- sync 2 from C with tombstone v1",
		"C <- synced 2 from B",
	)
}

// A clear that reached a giver between its grant and the fetch of its contents is known
// to the taker before these are.
func TestClearedBeforeTheFetch(t *testing.T) {
	wantWell(t, "A suspected and alive, set+clear, backup, forgotten",
		"C: switches to table 1 (BC, owner C, backups B)",
		"B <- take 1 from C",
		"C: sends again what is unanswered",
		"B: switches to table 1 (BC, owner C, backups B)",
		"B: starts set 2",
		"C <- grant 1 from B with 1 v1",
		"B <- sync 2 from C",
		"C <- synced 2 from B",
		"C: what it lent to B ends",
		"B <- replicate 4 from C with 2 v3",
		"B <- take 1 from C",
		"B: switches to table 2 (ABC, owner B, backups C)",
		"C <- take 1 from B",
		"A: switches to table 2 (ABC, owner B, backups C)",
		"A <- take 1 from B",
		"A: starts clear 3",
		"C <- replicated 4 from B",
		"C: switches to table 2 (ABC, owner B, backups C)",
		"B <- grant 1 from C",
		"C <- clear 1 from A generation 1/1",
		"B <- grant 1 from A with 1 v1",
		"C <- fetch for B",
		"B <- fetched from C tombstone v3",
		"C <- sync 2 from B with tombstone v3",
		"B <- synced 2 from C",
	)
}

// Nor does anything older come in the place of what was cleared between a grant and its
// merging, within one lineage: it leaves its version while not all have cleared.
func TestClearedBeforeTheMerge(t *testing.T) {
	for _, byClear := range []bool{true, false} {
		n, takes := taking(t, nil)
		var out Out
		n.slot.Handle(takes[0].To, &Message{Kind: Grant, Nonce: takes[0].Message.Nonce, Term: Term{1, 1}, Content: item(1, 20), Have: digestOf(20)}, now, &out)
		last := Message{Kind: Grant, Nonce: takes[1].Message.Nonce}
		if byClear {
			n.clears.Handle(member(2), &Message{Kind: Clear, Nonce: 1, Ref: ref, Generation: Generation{1, 3}}, now, &out)
		} else {
			last.Generations = []CacheGeneration{{Cache: ref.Cache, Generation: Generation{1, 3}}}
		}
		n.slot.Handle(takes[1].To, &last, now, &out)
		if !n.slot.Active() {
			t.Fatal("the slot is not served")
		}
		if e, ok := n.mem.Peek(ref, cache.Owned); !ok || e.Version != 20 || !e.Tombstone {
			t.Errorf("by a clear %v: what is left is %+v, %v", byClear, e, ok)
		}
	}
}

// wantWell follows a trace that went wrong once.
func wantWell(t *testing.T, scenario string, trace ...string) {
	t.Helper()
	steps, why := replay(scenarioNamed(t, scenario, rules{}), trace)
	if steps != len(trace) {
		t.Fatalf("%d of %d steps are possible", steps, len(trace))
	}
	if why != "" {
		t.Error(why)
	}
}

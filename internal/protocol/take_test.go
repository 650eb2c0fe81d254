package protocol

import (
	"slices"
	"testing"

	"github.com/peercache/peercache/cache"
)

func TestCounting(t *testing.T) {
	term := func(count uint64) Term { return Term{Count: count, Raiser: 9} }
	to := func(m Member, nonce uint64) []Spend { return []Spend{{To: m, Nonce: nonce, First: nonce}} }
	for _, tt := range []struct {
		name   string
		grants []grant
		want   []Member
	}{
		{name: "nobody has a copy", grants: []grant{{from: 1}, {from: 2}}},
		{name: "one", grants: []grant{{from: 1}, {from: 2, term: term(1)}}, want: []Member{2}},
		{name: "two lineages", grants: []grant{{from: 1, term: Term{1, 8}}, {from: 2, term: term(3)}}, want: []Member{1, 2}},
		{name: "two terms of one owner", grants: []grant{{from: 1, term: term(1)}, {from: 2, term: term(3)}}, want: []Member{2}},
		{name: "granted to one that never served", grants: []grant{{from: 1, term: term(1), spends: to(2, 5)}, {from: 2, taken: 4}}, want: []Member{1}},
		{name: "granted to one that served", grants: []grant{{from: 1, term: term(1), spends: to(2, 5)}, {from: 2, taken: 5}}},
		{name: "granted to one that served since", grants: []grant{{from: 1, term: term(1), spends: to(2, 5)}, {from: 2, term: term(2), taken: 6}}, want: []Member{2}},
		{name: "granted to one that is gone", grants: []grant{{from: 1, term: term(1), spends: to(3, 5)}, {from: 2}}},
		{name: "granted to two, one of whom served", grants: []grant{{from: 1, term: term(1), spends: []Spend{{To: 2, Nonce: 5, First: 5}, {To: 3, Nonce: 1, First: 1}}}, {from: 2, taken: 4}, {from: 3, taken: 1}}},
		{name: "granted to two, neither of whom served", grants: []grant{{from: 1, term: term(1), spends: []Spend{{To: 2, Nonce: 5, First: 5}, {To: 3, Nonce: 1, First: 1}}}, {from: 2, taken: 4}, {from: 3}}, want: []Member{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tk := take{grants: tt.grants}
			var got []Member
			for _, g := range tk.counting(&rules{}) {
				got = append(got, g.from)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("the copies of %v count, want those of %v", got, tt.want)
			}
		})
	}
}

func item(value uint8, version uint64) []Item {
	return []Item{{Ref: ref, Value: values[value], Version: version}}
}

func TestLineagesMerge(t *testing.T) {
	for _, tt := range []struct {
		name         string
		a, c         Message
		value        uint8
		floor, known uint64
	}{
		{name: "the newer version wins", a: Message{Term: Term{1, 1}, Content: item(1, 5)}, c: Message{Term: Term{2, 3}, Content: item(2, 6)}, value: 2, known: 3},
		{name: "whoever comes first", a: Message{Term: Term{1, 1}, Content: item(1, 7)}, c: Message{Term: Term{2, 3}, Content: item(2, 6)}, value: 1, known: 3},
		{name: "below the other's floor", a: Message{Term: Term{1, 1}, Content: item(1, 5)}, c: Message{Term: Term{2, 3}, Floor: 5}, floor: 5, known: 3},
		{name: "below the other's floor, and newer than what it has", a: Message{Term: Term{1, 1}, Content: item(1, 5)}, c: Message{Term: Term{2, 3}, Content: item(2, 3), Floor: 5}, floor: 5, known: 3},
		{name: "above the other's floor", a: Message{Term: Term{1, 1}, Content: item(1, 6)}, c: Message{Term: Term{2, 3}, Floor: 5}, value: 1, floor: 5, known: 3},
		{name: "its own floor does not matter", a: Message{Term: Term{1, 1}, Content: item(1, 5), Floor: 9}, c: Message{Term: Term{2, 3}}, value: 1, floor: 9, known: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, takes := taking(t, nil)
			var out Out
			for i, m := range []Message{tt.a, tt.c} {
				m.Kind, m.Nonce = Grant, takes[i].Message.Nonce
				m.Have.Count = uint32(len(m.Content))
				if m.Content == nil {
					m.Content = []Item{}
				}
				n.slot.Handle(takes[i].To, &m, now, &out)
			}
			if !n.slot.Active() {
				t.Fatal("the slot is not active")
			}
			e, ok := n.mem.Peek(ref, cache.Owned)
			ok = ok && !e.Tombstone
			if ok != (tt.value != 0) || ok && e.Value[0] != tt.value {
				t.Errorf("the value is %v, want %d", e.Value, tt.value)
			}
			if n.mem.floor != tt.floor {
				t.Errorf("the floor is %d, want %d", n.mem.floor, tt.floor)
			}
			if n.slot.term != (Term{tt.known, member(1)}) {
				t.Errorf("the term is %v, want %d by B", n.slot.term, tt.known)
			}
			if got := sent(&out, Done); len(got) != 2 {
				t.Errorf("%d are told, want 2", len(got))
			}
		})
	}
}

func TestGrantOfTheWrongTakeIsIgnored(t *testing.T) {
	n, takes := taking(t, nil)
	var out Out
	nonce := takes[0].Message.Nonce
	n.slot.Handle(member(0), &Message{Kind: Grant, Nonce: nonce + 1}, now, &out)
	n.slot.Handle(member(3), &Message{Kind: Grant, Nonce: nonce}, now, &out)
	n.slot.Handle(member(0), &Message{Kind: Grant, Nonce: nonce}, now, &out)
	n.slot.Handle(member(0), &Message{Kind: Grant, Nonce: nonce}, now, &out)
	if n.slot.Active() {
		t.Error("the slot is active without C's grant")
	}
}

func TestLateDoneFreesNothing(t *testing.T) {
	sc := scenario{tabs: []tab{ownA, ownB}}
	sc.prepare()
	n := serving(t, nil)
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Switch(sc.tables[1], false, now, &out)
	n.slot.Handle(member(1), &Message{Kind: Done, Digest: sc.tables[1].Digest, Term: n.slot.term}, now, &out)
	if !n.slot.Holds() || !n.mem.has[cache.Owned] {
		t.Fatal("a Done of a term that is not newer has freed the copy")
	}
	newer := Term{n.slot.term.Count + 1, member(1)}
	n.slot.Handle(member(1), &Message{Kind: Done, Digest: sc.tables[1].Digest, Term: newer}, now, &out)
	if !n.slot.Holds() || !n.mem.has[cache.Owned] {
		t.Fatal("a Done of one to whom the copy was not granted has freed it")
	}
	n.slot.Handle(member(1), &Message{Kind: Take, Nonce: 1, Digest: sc.tables[1].Digest}, now, &out)
	n.slot.Handle(member(1), &Message{Kind: Done, Digest: sc.tables[1].Digest, Term: newer}, now, &out)
	if n.slot.Holds() || n.mem.has[cache.Owned] {
		t.Error("the Done has not freed the copy")
	}
}

func TestAskers(t *testing.T) {
	sc := scenario{tabs: []tab{abA, ownA, ownC}}
	sc.prepare()
	for _, tt := range []struct {
		name   string
		tables []int // after the first
		asks   []uint64
		want   uint64 // nonce of the take that is granted in the end; 0: none
	}{
		{"the table is there already", []int{2}, []uint64{1}, 1},
		{"the asker is no member yet, and not in the next table", []int{0, 2}, []uint64{1}, 1},
		{"an older question comes later", []int{2}, []uint64{2, 1}, 2},
		{"the asker was a member and is none", []int{1, 0, 2}, []uint64{1}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(member(1), sc.limits(), false)
			var out Out
			n.slot.Switch(sc.tables[0], false, now, &out)
			for _, nonce := range tt.asks {
				n.slot.Handle(member(2), &Message{Kind: Take, Nonce: nonce, Digest: sc.tables[2].Digest}, now, &out)
			}
			if len(out.Differ) != len(tt.asks) && len(out.Differ) != 1 {
				t.Errorf("tables differ with %v", out.Differ)
			}
			for _, i := range tt.tables {
				n.slot.Switch(sc.tables[i], false, now, &out)
			}
			got := uint64(0)
			for _, e := range sent(&out, Grant) {
				got = e.Message.Nonce
			}
			if got != tt.want {
				t.Errorf("granted is take %d, want %d", got, tt.want)
			}
		})
	}
}

func TestServingIsToldFirst(t *testing.T) {
	var told []bool
	n := serving(t, func(*Shared) {})
	n.sh.Serving = func(_ int, active bool) { told = append(told, active) }
	sc := scenario{tabs: []tab{ownB, {members: inA, owner: 0}}}
	sc.prepare()
	var out Out
	n.slot.Switch(sc.tables[0], false, now, &out)
	n.slot.Switch(sc.tables[1], false, now, &out)
	if !slices.Equal(told, []bool{false, true}) {
		t.Errorf("told was %v, want that it ends and begins", told)
	}
}

func TestFetchReplacesWhatIsOlder(t *testing.T) {
	n, takes := taking(t, nil)
	n.slot.Staged(item(1, 1), now)
	var out Out
	for i, e := range takes {
		m := Message{Kind: Grant, Nonce: e.Message.Nonce}
		if i == 0 {
			m.Term, m.Large, m.Have = Term{1, 1}, true, digestOf(2)
		}
		n.slot.Handle(e.To, &m, now, &out)
	}
	if len(out.Fetches) != 1 || out.Fetches[0].All {
		t.Fatalf("fetches %+v, want one of what differs", out.Fetches)
	}
	f := out.Fetches[0]
	n.slot.Staged(item(3, 3), now) // comes late, and may not count
	if !n.slot.Fetched(f, &Piece{Items: item(2, 2), Gone: []cache.Ref{ref}, Last: true}, now, &out) || !n.slot.Active() {
		t.Fatal("the slot is not active")
	}
	if e, _ := n.mem.Peek(ref, cache.Owned); e.Version != 2 {
		t.Errorf("the entry has version %d, want 2", e.Version)
	}
	if n.slot.Fetched(f, &Piece{Last: true}, now, &out) {
		t.Error("a fetch that is over is wanted")
	}
}

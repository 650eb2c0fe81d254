package protocol

import (
	"testing"
	"time"
)

// clearers returns members that all know each other, with their clears.
func clearers(count uint8) []*node {
	sc := scenario{tabs: []tab{{members: 1<<count - 1}}}
	sc.prepare()
	var list []*node
	for x := range count {
		n := newNode(member(x), sc.limits(), false)
		n.clears.Switch(sc.tables[0], &Out{})
		list = append(list, n)
	}
	return list
}

// pass brings messages to where they go until there are none, and returns how
// the calls ended. Next says which of them is next.
func pass(nodes []*node, out *Out, from uint8, next func(n int) int) map[Call]Status {
	type post struct {
		from uint8
		Envelope
	}
	ended := make(map[Call]Status)
	var list []post
	for {
		for _, e := range out.Messages {
			list = append(list, post{from, e})
		}
		for _, a := range out.Answers {
			ended[a.Call] = a.Status
		}
		out.Reset()
		if len(list) == 0 {
			return ended
		}
		i := next(len(list))
		p := list[i]
		list = append(list[:i:i], list[i+1:]...)
		from = index(p.To)
		nodes[from].clears.Handle(member(p.from), &p.Message, now, out)
	}
}

func TestTwoClearsAtATime(t *testing.T) {
	for name, next := range map[string]func(int) int{
		"first come, first served": func(int) int { return 0 },
		"last come, first served":  func(n int) int { return n - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			nodes := clearers(3)
			var a, b Out
			nodes[0].clears.Start(1, ref.Cache, never, now, &a)
			nodes[1].clears.Start(2, ref.Cache, never, now, &b)
			// A's messages first, so that the two meet at C.
			all := pass(nodes, &a, 0, next)
			for call, s := range pass(nodes, &b, 1, next) {
				all[call] = s
			}
			if all[1] != Written || all[2] != Written {
				t.Fatalf("the clears ended with %v", all)
			}
			want := nodes[0].gen.now
			for _, n := range nodes {
				if n.gen.now != want || want.Count < 2 {
					t.Errorf("generations %+v and %+v, want the same and at least 2", n.gen.now, want)
				}
				if n.clears.Open() != 0 {
					t.Errorf("%d clears are open", n.clears.Open())
				}
			}
		})
	}
}

func TestClearAsksWhomOthersKnow(t *testing.T) {
	nodes := clearers(2)
	third := clearers(3)
	nodes = append(nodes, third[2])
	nodes[1].clears.Switch(third[0].clears.table, &Out{}) // B knows C, A does not
	var out Out
	nodes[0].clears.Start(1, ref.Cache, never, now, &out)
	if got := pass(nodes, &out, 0, func(int) int { return 0 }); got[1] != Written {
		t.Fatalf("the clear ended with %v", got)
	}
	if nodes[2].gen.now.Count != 1 {
		t.Errorf("C has generation %+v", nodes[2].gen.now)
	}
}

func TestClearAloneIsDoneAtOnce(t *testing.T) {
	nodes := clearers(1)
	var out Out
	nodes[0].clears.Start(1, ref.Cache, never, now, &out)
	wantStatus(t, &out, map[Call]Status{1: Written})
}

func TestClearRisesAboveWhatItMeets(t *testing.T) {
	nodes := clearers(2)
	nodes[1].gen.now = Generation{Count: 5, Raiser: member(1)}
	var out Out
	nodes[0].clears.Start(1, ref.Cache, never, now, &out)
	if got := pass(nodes, &out, 0, func(int) int { return 0 }); got[1] != Written {
		t.Fatalf("the clear ended with %v", got)
	}
	for _, n := range nodes {
		if n.gen.now.Count != 6 {
			t.Errorf("generation %+v, want one above the 5 that was there", n.gen.now)
		}
	}
}

func TestClearDeadlineAndGone(t *testing.T) {
	nodes := clearers(3)
	n := nodes[0]
	var out Out
	n.clears.Start(1, ref.Cache, now+5, now, &out)
	n.clears.Start(2, ref.Cache, never, now, &out)
	out.Reset()
	n.clears.Tick(now+5, &out)
	if len(out.Answers) != 1 || len(out.Answers[0].Unconfirmed) != 2 {
		t.Fatalf("answers %+v, want one that names two members", out.Answers)
	}
	wantStatus(t, &out, map[Call]Status{1: Partial})
	n.clears.Tick(now+n.sh.Resend, &out)
	if got := sent(&out, Clear); len(got) != 4 {
		t.Errorf("%d clears are sent again, want 4", len(got))
	}
	wantStatus(t, &out, nil)
	n.clears.Gone(member(1), &out)
	wantStatus(t, &out, nil)
	n.clears.Switch(clearers(2)[0].clears.table, &out) // without C
	wantStatus(t, &out, map[Call]Status{2: Written})
}

func TestTooManyClears(t *testing.T) {
	nodes := clearers(2)
	n := nodes[0]
	n.sh.MaxQueued = 1
	var out Out
	n.clears.Start(1, ref.Cache, never, now, &out)
	n.clears.Start(2, ref.Cache, never, now+time.Second, &out)
	wantStatus(t, &out, map[Call]Status{2: Overloaded})
}

// A member that only another one knows is waited for, but not for ever.
func TestClearGivesUpUnknownMembers(t *testing.T) {
	n := serving(t, nil)
	var out Out
	n.clears.Start(5, 1, now+1, now, &out)
	for _, e := range sent(&out, Clear) {
		n.clears.Handle(e.To, &Message{
			Kind: Cleared, Nonce: e.Message.Nonce, Ref: e.Message.Ref, Generation: e.Message.Generation, Members: []Member{4242},
		}, now, &out)
	}
	out.Reset()
	n.clears.Tick(now+unknownFor-1, &out)
	if len(out.Answers) != 1 || out.Answers[0].Status != Partial || n.clears.Open() != 1 {
		t.Fatalf("answers %+v, %d clears are open", out.Answers, n.clears.Open())
	}
	n.clears.Tick(now+unknownFor, &out)
	if n.clears.Open() != 0 {
		t.Error("the clear is open still")
	}
}

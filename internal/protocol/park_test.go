package protocol

import "testing"

// taking returns B as it waits for grants of the slot.
func taking(t *testing.T, limits func(*Shared)) (*node, []Envelope) {
	t.Helper()
	sc := scenario{tabs: []tab{ownB}}
	sc.prepare()
	sh := sc.limits()
	if limits != nil {
		limits(&sh)
	}
	n := newNode(member(1), sh, false)
	var out Out
	n.slot.Switch(sc.tables[0], false, now, &out)
	return n, sent(&out, Take)
}

func TestCallsWaitForTheTake(t *testing.T) {
	n, takes := taking(t, func(sh *Shared) { sh.MaxParked = 3 })
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 0, nearFor), now, &out)
	n.slot.Write(set(3, 3, now+1), now, &out)
	wantStatus(t, &out, nil)
	n.slot.Get(read(4, 0, nearFor), now, &out)
	wantStatus(t, &out, map[Call]Status{4: Overloaded})
	n.slot.Tick(now+1, &out)
	wantStatus(t, &out, map[Call]Status{3: Unavailable})
	for _, e := range takes {
		n.slot.Handle(e.To, &Message{Kind: Grant, Nonce: e.Message.Nonce}, now+1, &out)
	}
	// The write waits for near copies that the last owner may have lent.
	wantStatus(t, &out, map[Call]Status{2: Missing})
	n.slot.Tick(now+1+nearFor, &out)
	wantStatus(t, &out, map[Call]Status{1: Written})
}

func TestCallsThatWaitGoToTheNextOwner(t *testing.T) {
	n, _ := taking(t, nil)
	sc := scenario{tabs: []tab{ownC}}
	sc.prepare()
	var out Out
	n.slot.Write(set(1, 1, never), now, &out)
	n.slot.Get(read(2, 0, nearFor), now, &out)
	n.slot.Switch(sc.tables[0], false, now, &out)
	wantStatus(t, &out, map[Call]Status{1: NotMine, 2: NotMine})
}

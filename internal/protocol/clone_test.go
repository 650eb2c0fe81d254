package protocol

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/peercache/peercache/cache"
)

// A step of the search works on a copy of the node that it changes. What is
// never changed once it is made (tables, contents, values) is shared.

func cloneSlot(s *Slot, sh *Shared) Slot {
	c := *s
	c.sh = sh
	c.keys = nil
	if len(s.keys) > 0 {
		c.keys = make(map[cache.Ref]*key, len(s.keys))
		for ref, k := range s.keys {
			c.keys[ref] = cloneKey(k)
		}
	}
	c.parked = slices.Clone(s.parked)
	for i := range c.parked {
		p := &c.parked[i]
		p.get, p.write = copyOf(p.get), copyOf(p.write)
	}
	if s.take != nil {
		t := *s.take
		t.waiting = slices.Clone(t.waiting)
		t.grants = slices.Clone(t.grants)
		t.fetching = slices.Clone(t.fetching)
		t.haves = slices.Clone(t.haves)
		c.take = &t
	}
	c.askers = slices.Clone(s.askers)
	c.stagers = slices.Clone(s.stagers)
	c.spends = slices.Clone(s.spends)
	c.copies = slices.Clone(s.copies)
	c.handed = slices.Clone(s.handed)
	c.open = slices.Clone(s.open)
	c.window.seen = slices.Clone(s.window.seen)
	if s.sync != nil {
		y := *s.sync
		y.waiting = slices.Clone(y.waiting)
		c.sync = &y
	}
	return c
}

func cloneKey(k *key) *key {
	c := &key{leases: slices.Clone(k.leases), write: cloneWrite(k.write)}
	for _, w := range k.queue {
		c.queue = append(c.queue, cloneWrite(w))
	}
	for _, l := range k.loads {
		l = copyOf(l)
		l.waiters = slices.Clone(l.waiters)
		c.loads = append(c.loads, l)
	}
	return c
}

func cloneWrite(w *write) *write {
	if w == nil {
		return nil
	}
	c := *w
	c.wait = slices.Clone(w.wait)
	return &c
}

func cloneClears(x *Clears, sh *Shared) Clears {
	c := *x
	c.sh = sh
	c.open = make(map[uint64]*clearing, len(x.open))
	for number, o := range x.open {
		o = copyOf(o)
		o.asked = slices.Clone(o.asked)
		o.gone = slices.Clone(o.gone)
		o.first = slices.Clone(o.first)
		o.wait = slices.Clone(o.wait)
		c.open[number] = o
	}
	return c
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// known are the fields that cloneSlot, cloneClears and the encoding take care
// of. Whoever adds one must look at all of them.
var known = map[string]string{
	"Slot":     "table owner backups num epoch backup active lost drained replicating take sync synced term made spends known backed taken askers sh copies open stagers filling window handed revokeAll activated leases writing nextPrune nonces asking keys parked",
	"key":      "leases write queue loads",
	"lease":    "holder until",
	"write":    "call id load result answer entry number wait resend cost",
	"waitFor":  "member until refused",
	"load":     "id version generation dirty waiters",
	"take":     "nonce held waiting grants resend after collecting fetching haves floor rose",
	"grant":    "from term spends taken have content known floor made backed",
	"asker":    "member msg",
	"parked":   "get write",
	"Clears":   "sh table next open",
	"clearing": "call number cache gen prior asked gone first wait begun deadline resend after gaveUp",
	"Message":  "Kind Large Urgent Slot Nonce Digest Term Spends Taken Known Made Backed Prior Clears Have Floor Version Ref Generation Generations Members Content Wait",
	"Spend":    "To Nonce First Backups",
	"having":   "member have",
	"repeat":   "at wait",
	"syncing":  "nonce waiting alike freeing held resend",
	"handed":   "call ref version count deadline given",
	"window":   "low seen",
	"Item":     "Ref Value Version Count Left Tombstone Negative Short",
	"Answer":   "Call Status Lease Loaded Value Version Count Left Generation Unconfirmed Err",
	"Fill":     "Ref Near epoch asked",
	"Get":      "Call From Ref Near Load Deadline",
	"Shared":   "Self Memory Generations Clock Serving MaxParked MaxQueued MaxLeases Leases Writes GrantBytes Tombstone Fenced Resend Paced off",
	"Out":      "Messages Answers Loads Fetches Again Differ",
}

func TestCloneKnowsAllFields(t *testing.T) {
	types := []any{
		Slot{},
		key{},
		lease{},
		write{},
		waitFor{},
		load{},
		take{},
		grant{},
		having{},
		asker{},
		parked{},
		repeat{},
		syncing{},
		handed{},
		window{},
		Clears{},
		clearing{},
		Message{},
		Spend{},
		Item{},
		Answer{},
		Fill{},
		Get{},
		Shared{},
		Out{},
	}
	for _, v := range types {
		typ := reflect.TypeOf(v)
		got := ""
		for i := range typ.NumField() {
			if i > 0 {
				got += " "
			}
			got += typ.Field(i).Name
		}
		if got != known[typ.Name()] {
			t.Errorf("%s has the fields\n\t%s\nThe search copies and tells apart\n\t%s\nBring clone_test.go and encode_test.go up to date.", typ.Name(), got, known[typ.Name()])
		}
	}
	if names := slices.Collect(maps.Keys(known)); len(names) != len(types) {
		t.Errorf("%d types are listed and not all of them checked", len(names))
	}
}

package cache

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model is what a store of one shard is to be, written as simply as can be:
// every entry in one list, and beside it who is to go next, which has tests of
// its own.
type model struct {
	entries     []*modelEntry
	orders      [kindCount]order
	share       int64
	now         time.Duration
	generations map[uint32]uint64
	forgotten   map[uint32]uint64 // the clears that all have made
	floors      map[int]uint64
	remember    bool
	stats       [kindCount]KindStats
}

type modelEntry struct {
	ref     Ref
	e       Entry
	decoded any
	record  *record // stands for it in the order
}

func (m *modelEntry) cost() int64 {
	c := int64(Overhead + len(m.ref.Key) + len(m.e.Value))
	if m.decoded != nil {
		c += int64(len(m.e.Value))
	}
	return c
}

func (m *model) bytes(kinds Kinds) (sum int64) {
	for _, x := range m.entries {
		if kinds&(1<<x.e.Kind) != 0 {
			sum += x.cost()
		}
	}
	return sum
}

func (m *model) find(ref Ref, kind Kind) *modelEntry {
	for _, x := range m.entries {
		if x.ref == ref && x.e.Kind == kind {
			return x
		}
	}
	return nil
}

func (m *model) remove(x *modelEntry) {
	m.entries = slices.DeleteFunc(m.entries, func(y *modelEntry) bool { return x == y })
	m.orders[x.e.Kind].remove(x.record)
}

func (m *model) ended(ref Ref, e *Entry) end {
	switch {
	case e.Generation < m.generations[ref.Cache] && (!e.Tombstone || e.Negative):
		return cleared
	case e.Expires != 0 && m.now >= e.Expires, e.Kind == Near && m.now >= e.LeaseEnd:
		return expired
	}
	return live
}

// bury removes x if it has ended, or leaves a tombstone, and tells whether it is gone.
func (m *model) bury(x *modelEntry) bool {
	switch m.ended(x.ref, &x.e) {
	case live:
		return false
	case expired:
		m.stats[x.e.Kind].Expirations++
		m.forget(x.ref, &x.e)
	case cleared:
		m.stats[x.e.Kind].Cleared++
		if m.missed(x) {
			x.decoded = nil
			x.e = Entry{Kind: Owned, Tombstone: true, Version: x.e.Version, Generation: m.generations[x.ref.Cache], Expires: m.now + missedFor}
			r := newRecord(&x.ref, &x.e)
			m.orders[Owned].replace(x.record, r)
			x.record = r
			return false
		}
	}
	m.remove(x)
	return true
}

func (m *model) missed(x *modelEntry) bool {
	return x.e.Kind == Owned && (m.remember || x.e.Generation >= m.forgotten[x.ref.Cache])
}

// remembered tells whether e is a deletion of which somebody may not have heard.
func (m *model) remembered(e *Entry) bool {
	return m.remember && e.Kind == Owned && e.Tombstone && !e.Negative
}

// forget notes that an entry is over.
func (m *model) forget(ref Ref, e *Entry) {
	if slot := int(ref.Hash % Slots); m.remembered(e) || e.Kind == Owned && e.Short {
		m.floors[slot] = max(m.floors[slot], e.Version)
	}
}

func (m *model) makeRoom(bytes int64, forKind Kind, keep *modelEntry) {
	for _, kind := range []Kind{Near, Staged, Owned} {
		if kind == Owned && forKind != Owned {
			return
		}
		for m.bytes(AllKinds)+bytes > m.share {
			x := m.oldest(kind, keep)
			if x == nil {
				break
			}
			m.evict(x)
		}
	}
}

// oldest promotes what a Get has found until it finds one to evict.
func (m *model) oldest(kind Kind, keep *modelEntry) *modelEntry {
	for chances := maxChances; ; chances-- {
		var kept *record
		if keep != nil {
			kept = keep.record
		}
		r := m.orders[kind].next(kept)
		i := slices.IndexFunc(m.entries, func(x *modelEntry) bool { return x.record == r })
		switch {
		case r == nil:
			return nil
		case !r.touched() || chances == 0 || m.ended(m.entries[i].ref, &m.entries[i].e) != live:
			return m.entries[i]
		}
		m.orders[kind].promote(r)
	}
}

func (m *model) of(kind Kind) (list []*modelEntry) {
	for _, x := range m.entries {
		if x.e.Kind == kind {
			list = append(list, x)
		}
	}
	return list
}

func (m *model) evict(x *modelEntry) {
	if (m.ended(x.ref, &x.e) != cleared || !m.missed(x)) && m.bury(x) {
		return
	}
	if x.e.Kind == Owned {
		slot := int(x.ref.Hash % Slots)
		m.floors[slot] = max(m.floors[slot], x.e.Version)
	}
	if !x.e.Tombstone {
		m.orders[x.e.Kind].gone(x.record)
	}
	m.stats[x.e.Kind].Evictions++
	m.remove(x)
}

// come adds an entry; of too many with the same hash the lowest version goes.
func (m *model) come(x *modelEntry) {
	var lowest *modelEntry
	n := 0
	for _, y := range m.of(x.e.Kind) {
		if y.ref.Hash == x.ref.Hash {
			if n++; lowest == nil || y.e.Version < lowest.e.Version {
				lowest = y
			}
		}
	}
	if n >= maxSame {
		m.evict(lowest)
	}
	m.entries = append(m.entries, x)
	m.orders[x.e.Kind].add(x.record)
}

func (m *model) put(ref Ref, e Entry) (Result, bool) {
	if e.Tombstone {
		e.Value = nil
	}
	if e.Kind != Near {
		e.LeaseEnd = 0
	}
	old := m.find(ref, e.Kind)
	if old != nil && e.Kind == Near && m.renew(old, &e) {
		return Stored, true
	}
	if old != nil && m.bury(old) {
		old = nil
	}
	if old != nil && old.e.Version >= e.Version {
		return Older, true
	}
	if old != nil && m.remembered(&old.e) {
		e.Short = true
	}
	x := &modelEntry{ref: ref, e: e, record: newRecord(&ref, &e)}
	switch end := m.ended(ref, &e); {
	case end == expired:
		if old != nil {
			m.remove(old)
		}
		m.forget(ref, &e)
		return Older, true
	case end != live:
		return Older, true
	}
	if e.Kind != Owned && m.bytes(OwnedOnly)+x.cost() > m.share {
		return 0, false
	}
	if old != nil {
		m.makeRoom(x.cost()-old.cost(), e.Kind, old)
		m.orders[e.Kind].replace(old.record, x.record)
		*old = *x
		return Stored, true
	}
	m.makeRoom(x.cost(), e.Kind, nil)
	m.come(x)
	return Stored, true
}

// renew gives a near copy another lease, if nothing else has ended.
func (m *model) renew(old *modelEntry, e *Entry) bool {
	x := old.e
	x.LeaseEnd = e.LeaseEnd
	if x.Version != e.Version || x.Generation != e.Generation || x.Tombstone || e.Tombstone || len(x.Value) != len(e.Value) || m.ended(old.ref, &x) != live {
		return false
	}
	old.e.LeaseEnd = max(old.e.LeaseEnd, e.LeaseEnd)
	m.orders[Near].use(old.record)
	return true
}

func (m *model) get(ref Ref, kind Kind) *modelEntry {
	x := m.find(ref, kind)
	if x == nil {
		m.stats[kind].Misses++
		return nil
	}
	lent := x.e
	lent.LeaseEnd = never
	if m.ended(x.ref, &x.e) != live && m.ended(x.ref, &lent) == live || m.bury(x) || x.e.Tombstone {
		m.stats[kind].Misses++
		return nil
	}
	x.record.touch()
	m.stats[kind].Hits++
	return x
}

func (m *model) setDecoded(ref Ref, version uint64, v any) {
	for _, kind := range []Kind{Owned, Near} {
		x := m.find(ref, kind)
		if x == nil || m.bury(x) || x.e.Version != version || x.e.Tombstone {
			continue
		}
		if x.decoded == nil && v != nil {
			more := int64(len(x.e.Value))
			if kind == Near && m.bytes(OwnedOnly)+x.cost()+more > m.share {
				continue
			}
			m.orders[kind].use(x.record)
			m.makeRoom(more, kind, x)
		}
		x.decoded = v
	}
}

// slot returns what is live in a slot, and forgets the rest.
func (m *model) slot(slot int, kinds Kinds) (list []*modelEntry) {
	for _, x := range slices.Clone(m.entries) {
		if int(x.ref.Hash%Slots) == slot && !m.bury(x) && kinds&(1<<x.e.Kind) != 0 {
			list = append(list, x)
		}
	}
	return list
}

// settle buries what has ended in a slot, in the order in which the store lists it.
func (m *model) settle(s *Store, slot int) {
	for _, it := range s.AppendSlot(nil, slot, OwnedOnly) {
		m.bury(m.find(it.Ref, Owned))
	}
}

// promote takes the staged entries in the order in which the store lists them.
func (m *model) promote(slot int, order []Item) {
	m.slot(slot, OwnedOnly) // forgets what has ended
	for _, it := range order {
		x := m.find(it.Ref, Staged)
		if own := m.find(x.ref, Owned); own != nil {
			if own.e.Version >= x.e.Version {
				m.remove(x)
				continue
			}
			x.e.Short = x.e.Short || m.remembered(&own.e)
			m.remove(own)
		}
		m.remove(x)
		x.e.Kind = Owned
		m.come(x)
	}
}

// itemLine writes an item with all that it is.
func itemLine(ref Ref, e *Entry) string {
	return fmt.Sprintf("%x/%d/%s %s v%d g%d %v%v%v %d bytes until %d, %d", ref.Hash, ref.Cache, ref.Key,
		e.Kind, e.Version, e.Generation, e.Tombstone, e.Negative, e.Short, len(e.Value), e.Expires, e.LeaseEnd)
}

// TestModel does the same things at random to a store and to a model, and
// compares what each says: with keys enough to be evicted, and with hashes that
// several keys share, as many as may be and more.
func TestModel(t *testing.T) {
	for _, mode := range []modelMode{
		{name: "all kinds", share: 18_500, sameOf: 1},
		{name: "mostly owned", share: 18_500, sameOf: 1, owned: true},
		{name: "colliding", share: 1 << 20, sameOf: 3},
		{name: "colliding, mostly owned", share: 18_500, sameOf: 4, owned: true},
		{name: "too many colliding", share: 1 << 20, sameOf: 2 * maxSame, owned: true},
	} {
		t.Run(mode.name, func(t *testing.T) {
			evicted := uint64(0)
			for range 10 {
				seed := rand.Uint64()
				if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { evicted += runModel(t, mode, seed) }) {
					return
				}
			}
			if mode.owned != (evicted > 0) && mode.name != "all kinds" {
				t.Errorf("%d owned entries were evicted", evicted)
			}
		})
	}
}

type modelMode struct {
	name   string
	share  int64
	sameOf int  // keys of a hash
	owned  bool // mostly owned, few clears, few times to live
}

// runModel returns how many owned entries were evicted.
func runModel(t *testing.T, mode modelMode, seed uint64) uint64 {
	share, sameOf := mode.share, mode.sameOf
	m := &model{share: share, now: 1000, generations: make(map[uint32]uint64), forgotten: make(map[uint32]uint64), floors: make(map[int]uint64)}
	// With one shard the store's clock is the model's.
	s, _ := open(t, Config{Budget: share, MaxValue: 300, Clock: func() time.Duration { return m.now }})
	s.Close() // the model has no sweeper
	if n := len(s.shards); share < 2*18_448 && n != 1 {
		t.Fatalf("%d shards", n)
	}
	rnd := rand.New(rand.NewPCG(seed, seed))
	const keys, slots = 120, 7
	at := func(i int) Ref {
		same := i / sameOf
		return Ref{Hash: mix(uint64(same))&^(Slots-1) | uint64(same%slots), Cache: uint32(i % 3), Key: fmt.Sprint("key", i)}
	}
	value := make([]byte, 300)
	version := uint64(0)
	for step := range 3000 {
		ref, kind, slot := at(rnd.IntN(keys)), Kind(rnd.IntN(kindCount)), rnd.IntN(slots)
		kinds := Kinds(rnd.IntN(int(AllKinds) + 1))
		what := ""
		often := func(n int) bool { return rnd.IntN(n) == 0 && (!mode.owned || rnd.IntN(10) == 0) }
		if rnd.IntN(10) > 0 && mode.owned {
			kind = Owned
		}
		n := rnd.IntN(100)
		if n >= 80 && n < 96 && !often(1) {
			n = 0
		}
		switch {
		case n < 45:
			version++
			e := Entry{Kind: kind, Version: version, Generation: m.generations[ref.Cache], Value: value[:rnd.IntN(len(value)+1)]}
			if rnd.IntN(5) == 0 {
				e.Version -= min(e.Version, uint64(rnd.IntN(30)))
			}
			if sameOf > maxSame { // which of several with the same version goes is not said
				e.Version = e.Version<<12 | uint64(step)
			}
			if often(8) && e.Generation > 0 {
				e.Generation--
			}
			if e.Tombstone = often(6); e.Tombstone {
				e.Negative = rnd.IntN(2) == 0
			}
			if e.Tombstone || often(3) {
				e.Expires = m.now + time.Duration(rnd.IntN(300))
			}
			e.Short = often(8)
			e.LeaseEnd = m.now + time.Duration(rnd.IntN(300))
			if x := m.find(ref, Near); x != nil && kind == Near && often(2) { // lent again
				end := e.LeaseEnd
				if e = x.e; !often(5) {
					e.LeaseEnd = end
				}
				if often(9) {
					e.Value = value[:rnd.IntN(len(value)+1)]
				}
			}
			what = "put " + itemLine(ref, &e)
			r, err := s.Put(ref, e)
			if want, ok := m.put(ref, e); r != want || ok != (err == nil) {
				t.Fatalf("step %d: %s = %d, %v; want %d, %v", step, what, r, err, want, ok)
			}
		case n < 65:
			what = fmt.Sprint("get ", kind, ref)
			hit, ok := s.Get(kind, ref.Hash, ref.Cache, ref.Key)
			if kind == Staged {
				if ok {
					t.Fatalf("step %d: %s is a hit", step, what)
				}
				break
			}
			x := m.get(ref, kind)
			if ok != (x != nil) || ok && (hit.Version != x.e.Version || len(hit.Value) != len(x.e.Value) || hit.Decoded != x.decoded || hit.Expires != x.e.Expires) {
				t.Fatalf("step %d: %s = %+v, %v; want %+v", step, what, hit, ok, x)
			}
			if ok && rnd.IntN(3) == 0 {
				s.SetDecoded(ref, hit.Version, step)
				m.setDecoded(ref, hit.Version, step)
			}
		case n < 75:
			what = fmt.Sprint("peek ", kind, ref)
			e, ok := s.Peek(ref, kind)
			x := m.find(ref, kind)
			if x != nil && m.bury(x) {
				x = nil
			}
			if ok != (x != nil) || ok && itemLine(ref, &e) != itemLine(ref, &x.e) {
				t.Fatalf("step %d: %s = %+v, %v; want %+v", step, what, e, ok, x)
			}
		case n < 80:
			what = fmt.Sprint("drop ", kinds, ref)
			was := false
			for _, x := range slices.Clone(m.entries) {
				if x.ref == ref && kinds&(1<<x.e.Kind) != 0 && !m.bury(x) {
					was = true
					m.remove(x)
				}
			}
			if got := s.Drop(ref, kinds); got != was {
				t.Fatalf("step %d: %s = %v", step, what, got)
			}
		case n < 81:
			what = fmt.Sprint("drop slot ", slot, kinds)
			s.DropSlot(slot, kinds)
			for _, x := range slices.Clone(m.entries) {
				if int(x.ref.Hash%Slots) == slot && kinds&(1<<x.e.Kind) != 0 {
					m.remove(x)
				}
			}
		case n < 84:
			what = fmt.Sprint("promote ", slot)
			m.settle(s, slot)
			order := s.AppendSlot(nil, slot, StagedOnly)
			if want := m.slot(slot, StagedOnly); len(order) != len(want) {
				t.Fatalf("step %d: %d staged entries, want %d", step, len(order), len(want))
			}
			s.Promote(slot)
			m.promote(slot, order)
		case n < 85:
			what = fmt.Sprint("raise ", ref.Cache)
			m.generations[ref.Cache]++
			s.RaiseGeneration(ref.Cache, m.generations[ref.Cache])
			s.RaiseGeneration(ref.Cache, m.generations[ref.Cache]-1) // does not lower it
		case n < 86:
			what = fmt.Sprint("forget ", ref.Cache)
			if s.Forget(ref.Cache, m.generations[ref.Cache]+uint64(rnd.IntN(2))) != !m.remember {
				t.Fatalf("step %d: it is forgotten: %v", step, m.remember)
			}
			if !m.remember {
				m.forgotten[ref.Cache] = m.generations[ref.Cache]
			}
		case n < 87:
			what = fmt.Sprint("raise floor ", slot)
			s.RaiseFloor(slot, version)
			m.floors[slot] = max(m.floors[slot], version)
		case n < 88:
			m.remember = !m.remember
			what = fmt.Sprint("remember ", m.remember)
			s.Remember(m.remember)
		case n < 96:
			m.now += time.Duration(rnd.IntN(20))
		default:
			what = fmt.Sprint("list ", slot, kinds)
			compareSlot(t, s, m, slot, kinds)
		}
		compare(t, s, m, slots, step, what)
	}
	for slot := range slots {
		compareSlot(t, s, m, slot, AllKinds)
	}
	return m.stats[Owned].Evictions
}

func compareSlot(t *testing.T, s *Store, m *model, slot int, kinds Kinds) {
	t.Helper()
	var got, want []string
	var digest Digest
	m.settle(s, slot)
	items := s.AppendSlot(nil, slot, kinds)
	for i := range items {
		got = append(got, itemLine(items[i].Ref, &items[i].Entry))
	}
	for _, x := range m.slot(slot, kinds) {
		want = append(want, itemLine(x.ref, &x.e))
		digest.Count++
		digest.Sum += mark(x.ref.Hash, x.e.Version, x.e.Tombstone)
	}
	slices.SortFunc(got, cmp.Compare)
	slices.SortFunc(want, cmp.Compare)
	if !slices.Equal(got, want) {
		t.Fatalf("slot %d:\n%q\nwant\n%q", slot, got, want)
	}
	if d := s.Digest(slot, kinds); d != digest {
		t.Fatalf("slot %d: %+v, want %+v", slot, d, digest)
	}
}

func compare(t *testing.T, s *Store, m *model, slots, step int, what string) {
	t.Helper()
	st := s.Stats()
	for kind, k := range []KindStats{st.Owned, st.Near, st.Staged} {
		want := m.stats[kind]
		want.Bytes = m.bytes(1 << kind)
		for _, x := range m.entries {
			if x.e.Kind == Kind(kind) {
				want.Entries++
			}
		}
		if k != want {
			t.Fatalf("step %d, %s: %s is %+v, want %+v", step, what, Kind(kind), k, want)
		}
	}
	for slot := range slots {
		if got, want := s.Floor(slot), m.floors[slot]; got != want {
			t.Fatalf("step %d, %s: slot %d has floor %d, want %d", step, what, slot, got, want)
		}
	}
	if step%250 == 0 {
		check(t, s)
	}
}

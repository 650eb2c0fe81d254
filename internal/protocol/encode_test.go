package protocol

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/peercache/peercache/cache"
)

// encoder turns states into bytes, so that two that behave alike have the same
// hash. Left out is what only orders time: the search decides when something
// falls due. What lists in no order that matters is sorted.
type encoder struct {
	b       []byte
	members []Member
	values  uint8 // those that came, or that calls ask for
}

func (e *encoder) sum() uint64 { return xxhash.Sum64(e.b) }

func (e *encoder) u8(v uint8) { e.b = append(e.b, v) }

// num writes a number that is nearly always small.
func (e *encoder) num(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) u64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }

// call writes a call; that of a write stands for its value.
func (e *encoder) call(c Call) {
	if c&^0xff == callWrite {
		e.values |= 1 << (c & 7)
	}
	e.num(uint64(c))
}

func (e *encoder) bit(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) set(list []Member) {
	e.members = append(e.members[:0], list...)
	slices.Sort(e.members)
	e.num(uint64(len(list)))
	for _, m := range e.members {
		e.num(uint64(m))
	}
}

func (e *encoder) term(t Term) {
	e.num(t.Count)
	e.num(uint64(t.Raiser))
}

func (e *encoder) spends(list []Spend) {
	e.num(uint64(len(list)))
	for _, sp := range list {
		e.num(uint64(sp.To))
		e.num(sp.Nonce)
		e.num(sp.First)
		e.set(sp.Backups)
	}
}

func (e *encoder) generation(g Generation) {
	e.num(g.Count)
	e.num(uint64(g.Raiser))
}

func (e *encoder) digest(d cache.Digest) {
	e.num(uint64(d.Count))
	e.num(d.Sum)
}

func (e *encoder) value(v []byte) {
	e.num(uint64(len(v)))
	e.b = append(e.b, v...)
	if len(v) == 1 && v[0] < 8 {
		e.values |= 1 << v[0]
	}
}

func (e *encoder) items(list []Item) {
	e.num(uint64(len(list)))
	for i := range list {
		it := &list[i]
		e.value(it.Value)
		e.num(it.Version)
		e.num(it.Count)
		e.bit(it.Tombstone)
		e.bit(it.Negative)
		e.bit(it.Short)
	}
}

func (e *encoder) slot(s *Slot) {
	e.bit(s.active)
	e.term(s.term)
	e.spends(s.spends)
	e.num(s.taken)
	e.num(s.known)
	e.bit(s.lost)
	e.num(s.made)
	e.num(s.backed)
	e.set(s.synced)
	e.set(s.copies)
	e.bit(s.sync != nil)
	if y := s.sync; y != nil {
		e.num(y.nonce)
		e.set(y.waiting)
		e.set(y.alike)
		e.bit(y.freeing)
		e.bit(y.held)
	}
	e.bit(s.filling != nil)
	if s.filling != nil {
		e.message(s.filling)
	}
	if s.backup {
		e.num(s.window.low)
		e.num(uint64(len(s.window.seen)))
		for _, n := range s.window.seen {
			e.num(n)
		}
	}
	e.num(uint64(len(s.handed)))
	for _, h := range s.handed {
		e.call(h.call)
		e.num(h.version)
		e.num(h.count)
		e.bit(h.given)
	}
	e.bit(s.revokeAll > now)
	e.num(s.nonces)
	e.num(uint64(len(s.keys)))
	if k := s.keys[ref]; k != nil {
		e.key(k)
	}
	e.num(uint64(len(s.parked)))
	for _, p := range s.parked {
		if p.get != nil {
			e.u8(1)
			e.get(p.get)
		} else {
			e.u8(2)
			e.call(p.write.Call)
		}
	}
	e.bit(s.take != nil)
	if s.take != nil {
		e.take(s.take)
	}
	e.num(uint64(len(s.askers)))
	slices.SortFunc(s.askers, func(a, b asker) int { return int(a.member) - int(b.member) })
	for i := range s.askers {
		e.num(uint64(s.askers[i].member))
		e.message(&s.askers[i].msg)
	}
	e.set(s.stagers)
}

func (e *encoder) key(k *key) {
	slices.SortFunc(k.leases, func(a, b lease) int { return int(a.holder) - int(b.holder) })
	e.num(uint64(len(k.leases)))
	for _, l := range k.leases {
		e.num(uint64(l.holder))
	}
	e.bit(k.write != nil)
	if k.write != nil {
		e.write(k.write)
	}
	e.num(uint64(len(k.queue)))
	for _, w := range k.queue {
		e.write(w)
	}
	e.num(uint64(len(k.loads)))
	for _, l := range k.loads {
		e.num(l.id)
		e.num(l.version)
		e.num(l.generation)
		e.bit(l.dirty)
		e.num(uint64(len(l.waiters)))
		for i := range l.waiters {
			e.get(&l.waiters[i])
		}
	}
}

func (e *encoder) write(w *write) {
	e.call(w.call.Call)
	e.num(w.id)
	e.bit(w.load)
	e.bit(w.answer)
	e.bit(w.result)
	e.num(w.entry.Version)
	e.num(w.number)
	if w.versioned() {
		e.value(w.entry.Value)
		e.num(w.entry.Generation)
		e.bit(w.entry.Tombstone)
		e.bit(w.entry.Negative)
	}
	e.members = e.members[:0]
	for _, x := range w.wait {
		e.members = append(e.members, x.member)
	}
	slices.Sort(e.members)
	e.num(uint64(len(w.wait)))
	for _, m := range e.members {
		e.num(uint64(m))
	}
	refused := uint64(0)
	for _, x := range w.wait {
		if x.refused {
			refused |= 1 << x.member
		}
	}
	e.num(refused)
}

func (e *encoder) take(t *take) {
	e.num(t.nonce)
	e.bit(t.held)
	e.set(t.waiting)
	e.bit(t.collecting)
	e.bit(t.after > now)
	e.num(t.floor)
	e.num(t.rose)
	e.set(t.fetching)
	slices.SortFunc(t.haves, func(a, b having) int { return int(a.member) - int(b.member) })
	e.num(uint64(len(t.haves)))
	for _, h := range t.haves {
		e.num(uint64(h.member))
		e.digest(h.have)
	}
	slices.SortFunc(t.grants, func(a, b grant) int { return int(a.from) - int(b.from) })
	e.num(uint64(len(t.grants)))
	for i := range t.grants {
		g := &t.grants[i]
		e.num(uint64(g.from))
		e.term(g.term)
		e.spends(g.spends)
		e.num(g.taken)
		e.digest(g.have)
		e.bit(g.content == nil)
		e.items(g.content)
		e.num(g.known)
		e.num(g.floor)
		e.num(g.made)
		e.num(g.backed)
	}
}

func (e *encoder) get(g *Get) {
	e.call(g.Call)
	e.num(uint64(g.From))
	e.num(uint64(g.Near))
	e.bit(g.Load)
}

func (e *encoder) message(m *Message) {
	e.u8(uint8(m.Kind))
	e.bit(m.Large)
	e.bit(m.Urgent)
	e.num(m.Nonce)
	e.num(m.Digest)
	e.term(m.Term)
	e.spends(m.Spends)
	e.num(m.Taken)
	e.num(m.Known)
	e.num(m.Made)
	e.num(m.Backed)
	e.value([]byte(m.Ref.Key))
	e.num(m.Prior)
	e.num(m.Clears)
	e.digest(m.Have)
	e.num(m.Floor)
	e.num(m.Version)
	e.generation(m.Generation)
	for _, g := range m.Generations {
		e.generation(g.Generation)
	}
	e.set(m.Members)
	e.bit(m.Wait > 0)
	e.bit(m.Content == nil)
	e.items(m.Content)
}

func (e *encoder) answer(a *Answer) {
	e.call(a.Call)
	e.u8(uint8(a.Status))
	e.bit(a.Lease)
	e.bit(a.Loaded)
	e.value(a.Value)
	e.num(a.Version)
	e.num(a.Count)
	e.generation(a.Generation)
}

func (e *encoder) clears(c *Clears) {
	e.num(c.next)
	e.num(uint64(len(c.open)))
	for number := uint64(1); number <= c.next; number++ {
		x := c.open[number]
		if x == nil {
			continue
		}
		e.call(x.call)
		e.num(number)
		e.generation(x.gen)
		e.num(x.prior)
		e.set(x.asked)
		e.set(x.gone)
		e.set(x.first)
		e.set(x.wait)
		e.bit(x.after > now)
		e.bit(x.gaveUp)
	}
}

func (e *encoder) memory(m *memory) {
	for k := range m.has {
		e.bit(m.has[k])
		if m.has[k] {
			x := &m.entries[k]
			e.value(x.Value)
			e.num(x.Version)
			e.num(x.Generation)
			e.bit(x.Tombstone)
			e.bit(x.Negative)
			e.bit(x.Short)
		}
	}
	e.num(m.floor)
}

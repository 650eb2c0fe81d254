package protocol

import "github.com/peercache/peercache/cache"

// The search needs one slot with one key. ref is that key.
var ref = cache.Ref{Hash: 1, Cache: 1, Key: "k"}

// values[w] is the value that write w writes.
var values = func() (v [8][]byte) {
	for w := range v {
		v[w] = []byte{byte(w)}
	}
	return v
}()

// memory is a Memory with room for one key, that behaves as cache.Store does.
// It does not expire or evict by itself: the search does. What a clear has made
// dead stays and is not given out, until it is come upon: then what is owned becomes a
// tombstone. Or all have cleared before that, and nobody is missed: then nothing is
// left of it. Sweeps: what is not owned does not stay.
type memory struct {
	entries [3]cache.Entry // by kind
	has     [3]bool
	floor   uint64
	gens    *generations
	sweeps  bool
	misses  bool // cache.Store.Remember; the node's place among its tables tells it

	nearPuts int // near copies kept so far
}

// live tells whether there is an entry that no clear has made dead.
func (m *memory) live(kind cache.Kind) bool {
	return m.has[kind] && !m.dead(&m.entries[kind])
}

func (m *memory) dead(e *cache.Entry) bool {
	return e.Generation < m.gens.now.Count && (!e.Tombstone || e.Negative)
}

// remembers tells whether something is owned, dead, and has not been come upon.
func (m *memory) remembers() bool {
	return m.has[cache.Owned] && m.dead(&m.entries[cache.Owned])
}

// bury ends what is come upon and dead.
func (m *memory) bury(kind cache.Kind) {
	e := &m.entries[kind]
	switch {
	case m.live(kind):
	case m.has[kind] && kind == cache.Owned:
		*e = cache.Entry{Kind: cache.Owned, Tombstone: true, Version: e.Version, Generation: m.gens.now.Count}
	default:
		m.Drop(ref, 1<<kind)
	}
}

func (m *memory) Peek(_ cache.Ref, kind cache.Kind) (cache.Entry, bool) {
	m.bury(kind)
	return m.entries[kind], m.has[kind]
}

func (m *memory) Put(_ cache.Ref, e cache.Entry) (cache.Result, error) {
	m.bury(e.Kind)
	if m.has[e.Kind] && m.entries[e.Kind].Version >= e.Version {
		return cache.Older, nil
	}
	if m.dead(&e) {
		return cache.Older, nil
	}
	m.Drop(ref, 1<<e.Kind)
	m.entries[e.Kind], m.has[e.Kind] = e, true
	if e.Kind == cache.Near {
		m.nearPuts++
	}
	return cache.Stored, nil
}

func (m *memory) Drop(_ cache.Ref, kinds cache.Kinds) bool {
	dropped := false
	for k := range m.has {
		if kinds>>k&1 == 1 && m.has[k] {
			m.has[k], m.entries[k] = false, cache.Entry{}
			dropped = true
		}
	}
	return dropped
}

func (m *memory) AppendSlot(dst []cache.Item, _ int, kinds cache.Kinds) []cache.Item {
	m.settle(kinds)
	for k := range m.has {
		if kinds>>k&1 == 1 && m.live(cache.Kind(k)) {
			dst = append(dst, cache.Item{Ref: ref, Entry: m.entries[k]})
		}
	}
	return dst
}

// settle comes upon what is owned, if that is asked for.
func (m *memory) settle(kinds cache.Kinds) {
	if kinds&cache.OwnedOnly != 0 {
		m.bury(cache.Owned)
	}
}

func (m *memory) Digest(_ int, kinds cache.Kinds) cache.Digest {
	m.settle(kinds)
	d := cache.Digest{}
	for k := range m.has {
		if kinds>>k&1 == 1 && m.has[k] {
			d.Count++
			d.Sum += 2 * m.entries[k].Version
			if m.entries[k].Tombstone {
				d.Sum++
			}
		}
	}
	return d
}

// digestOf is the digest of one value of that version.
func digestOf(version uint64) cache.Digest { return cache.Digest{Count: 1, Sum: 2 * version} }

func (m *memory) Promote(int) {
	if !m.has[cache.Staged] {
		return
	}
	e := m.entries[cache.Staged]
	e.Kind = cache.Owned
	m.Drop(ref, cache.StagedOnly)
	_, _ = m.Put(ref, e)
}

func (m *memory) DropSlot(_ int, kinds cache.Kinds) { m.Drop(ref, kinds) }
func (m *memory) Floor(int) uint64                  { return m.floor }
func (m *memory) RaiseFloor(_ int, version uint64)  { m.floor = max(m.floor, version) }

// miss says that somebody may come back who has not heard of clears.
func (m *memory) miss() { m.misses = true }

// evict gives up what is owned, and the floor says so.
func (m *memory) evict() {
	if m.bury(cache.Owned); m.has[cache.Owned] {
		m.RaiseFloor(0, m.entries[cache.Owned].Version)
	}
	m.Drop(ref, cache.OwnedOnly)
}

// generations is a Generations with one cache.
type generations struct {
	now  Generation
	self Member
	mem  *memory
}

func (g *generations) Of(uint32) Generation { return g.now }

func (g *generations) Merge(_ uint32, x Generation) Generation { return g.set(g.now.Merge(x)) }

func (g *generations) Raise(_ uint32, above Generation) Generation {
	return g.set(Generation{Count: max(g.now.Count, above.Count) + 1, Raiser: g.self})
}

func (g *generations) set(x Generation) Generation {
	g.now = x
	for _, kind := range []cache.Kind{cache.Near, cache.Staged} {
		if g.mem.sweeps {
			g.mem.bury(kind)
		}
	}
	return x
}

func (g *generations) Forget(_ uint32, x Generation) bool {
	if g.forgets(x) {
		g.mem.Drop(ref, cache.OwnedOnly)
	}
	return !g.mem.misses
}

// forgets tells whether there is something to forget: what is owned, dead by that
// clear, and has not been come upon. What is older does not come any more.
func (g *generations) forgets(x Generation) bool {
	return !g.mem.misses && g.mem.remembers() && g.mem.entries[cache.Owned].Generation < x.Count
}

func (g *generations) Digest() uint64 { return g.now.Count<<8 | uint64(g.now.Raiser) }

func (g *generations) Append(dst []CacheGeneration) []CacheGeneration {
	if g.now.Count > 0 {
		dst = append(dst, CacheGeneration{Cache: ref.Cache, Generation: g.now})
	}
	return dst
}

// logical is a Clock that counts. Physical time adds nothing to it: wall
// clocks may be wrong.
// Where self is not 0 no two nodes make the same version.
// Told is how far others are known to count, and made the version made in this
// step.
type logical struct{ last, self, told, made uint64 }

func (c *logical) Next(floor uint64) (uint64, bool) {
	c.last = max(c.last, floor) + 1
	for c.self != 0 && c.last%4 != c.self%4 {
		c.last++
	}
	c.made = c.last
	return c.last, true
}
func (c *logical) Now() uint64            { return c.last }
func (c *logical) Observe(version uint64) { c.last = max(c.last, version) }

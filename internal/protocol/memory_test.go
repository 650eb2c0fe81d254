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
// dead stays, counts for digests and is not given out, as long as the store's
// sweeper has not come; sweeps makes that at once. What is dead by clears of others
// alone becomes a tombstone, and all that is while somebody is missed.
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

func (m *memory) Peek(_ cache.Ref, kind cache.Kind) (cache.Entry, bool) {
	if !m.live(kind) {
		m.Drop(ref, 1<<kind)
		return cache.Entry{}, false
	}
	return m.entries[kind], true
}

func (m *memory) Put(_ cache.Ref, e cache.Entry) (cache.Result, error) {
	if m.live(e.Kind) && m.entries[e.Kind].Version >= e.Version {
		return cache.Older, nil
	}
	m.Drop(ref, 1<<e.Kind)
	if m.dead(&e) {
		return cache.Older, nil
	}
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
	for k := range m.has {
		if kinds>>k&1 == 1 && m.live(cache.Kind(k)) {
			dst = append(dst, cache.Item{Ref: ref, Entry: m.entries[k]})
		}
	}
	return dst
}

func (m *memory) Digest(_ int, kinds cache.Kinds) cache.Digest {
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
func (m *memory) miss() {
	m.misses = true
	m.entomb()
}

// entomb leaves the version of what is owned and dead.
func (m *memory) entomb() {
	if e := &m.entries[cache.Owned]; m.has[cache.Owned] && m.dead(e) {
		*e = cache.Entry{Kind: cache.Owned, Tombstone: true, Version: e.Version, Generation: m.gens.now.Count}
	}
}

// evict gives up what is owned, and the floor says so.
func (m *memory) evict() {
	if m.live(cache.Owned) {
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

func (g *generations) Merge(_ uint32, x Generation) Generation {
	was := g.mem.live(cache.Owned)
	g.now = g.now.Merge(x)
	if was {
		g.mem.entomb()
	}
	return g.set(g.now)
}

func (g *generations) Clear(_ uint32, x Generation) Generation { return g.set(g.now.Merge(x)) }

func (g *generations) Raise(_ uint32, above Generation) Generation {
	return g.set(Generation{Count: max(g.now.Count, above.Count) + 1, Raiser: g.self})
}

func (g *generations) Digest() uint64 { return g.now.Count<<8 | uint64(g.now.Raiser) }

func (g *generations) Append(dst []CacheGeneration) []CacheGeneration {
	if g.now.Count > 0 {
		dst = append(dst, CacheGeneration{Cache: ref.Cache, Generation: g.now})
	}
	return dst
}

func (g *generations) set(x Generation) Generation {
	g.now = x
	if g.mem.misses {
		g.mem.entomb()
	}
	for k := range g.mem.has {
		if g.mem.sweeps && !g.mem.live(cache.Kind(k)) {
			g.mem.Drop(ref, 1<<k)
		}
	}
	return x
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

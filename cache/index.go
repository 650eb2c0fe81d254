package cache

import (
	"math/bits"
	"sync/atomic"
)

// index is where readers find the records of one kind: a home for each slot, and
// a small hash table beside it for what does not fit. Readers take no lock;
// whoever changes something has the lock of the slot's shard. So what a slot has
// lies together, and needs no list.
//
// A record stays where it was put, at home or in the table: so a reader that
// looks at one and then the other misses nothing that was there all the time.
type index [Slots]home

// home is a bucket without a neighbour: it fills a cache line, so that a record
// in it costs one miss of the processor's caches, and the record itself another.
// An index is large enough to begin with a page.
type home struct {
	tags   atomic.Uint64
	places [homeLen]atomic.Pointer[record]
	more   atomic.Pointer[table] // nil where all fits
}

// table is a hash table of records. One that is too small or too large is
// replaced by another and is not changed any more: a reader that still has it
// sees what it had at that moment, which is after the reader began.
type table struct{ buckets []bucket }

// bucket fills a cache line too.
//
// Each of the lowest bytes of tags says with 7 bits of the hash what lies in the
// place of its number, and is 0 where that is empty. The highest byte of a
// bucket's counts the records that found it full and went on to the next; from
// passedMax on it is not known any more.
type bucket struct {
	tags   atomic.Uint64
	places [bucketLen]atomic.Pointer[record]
}

const (
	homeLen    = 6
	bucketLen  = 7
	passedBits = 8 * bucketLen
	passedOne  = 1 << passedBits
	passedMax  = 0xff

	homeTags   = 0x0000_0101_0101_0101
	bucketTags = 0x0001_0101_0101_0101
)

// spot is where a hash's search begins, and its tag. The product is of a secret
// odd number, and its upper bits choose the bucket (Dietzfelbinger et al. 1997,
// multiply-shift), so that nobody can choose keys that all lie in one.
type spot struct {
	product uint64
	tag     uint64
}

func (s *Store) spot(hash uint64) spot {
	p := hash * s.odd
	return spot{product: p, tag: p>>24&0x7f | 0x80}
}

func (sp spot) home(buckets []bucket) int {
	return int(sp.product >> 32 * uint64(len(buckets)) >> 32)
}

// matches has the highest bit of each byte set whose place may have that tag; in
// each byte of each is a 1. It may have more, so the record decides.
func matches(tags, tag, each uint64) uint64 {
	x := tags ^ tag*each
	return (x - each) &^ x & (each << 7)
}

// empty is the same for the places with nothing in them, where the lowest is
// exact.
func empty(tags, each uint64) uint64 { return (tags - each) &^ tags & (each << 7) }

// find returns a key's record or nil. To a reader without the lock nil may also
// come of a change at the same time. A record that it returns was in the index
// at a moment since find began.
func (x *index) find(sp spot, hash uint64, cacheNumber uint32, key string) *record {
	h := &x[hash%Slots]
	tags := h.tags.Load()
	for m := matches(tags, sp.tag, homeTags); m != 0; m &= m - 1 {
		r := h.places[bits.TrailingZeros64(m)>>3].Load()
		if r != nil && r.hash == hash && r.is(cacheNumber, key) {
			return r
		}
	}
	if t := h.more.Load(); t != nil {
		return t.find(sp, hash, cacheNumber, key)
	}
	return nil
}

// find is index.find in a table.
func (t *table) find(sp spot, hash uint64, cacheNumber uint32, key string) *record {
	b := sp.home(t.buckets)
	for range t.buckets {
		at := &t.buckets[b]
		tags := at.tags.Load()
		for m := matches(tags, sp.tag, bucketTags); m != 0; m &= m - 1 {
			r := at.places[bits.TrailingZeros64(m)>>3%8].Load()
			if r != nil && r.hash == hash && r.is(cacheNumber, key) {
				return r
			}
		}
		if tags < passedOne {
			return nil
		}
		if b++; b == len(t.buckets) {
			b = 0
		}
	}
	return nil
}

// The rest is called with the shard locked.

// count returns how many records are at home.
func (h *home) count() int { return bits.OnesCount64(h.tags.Load() & (homeTags << 7)) }

// add puts a record into an empty place, if there is one.
func (h *home) add(sp spot, r *record) bool {
	tags := h.tags.Load()
	free := empty(tags, homeTags)
	if free == 0 {
		return false
	}
	place := bits.TrailingZeros64(free) >> 3
	h.places[place].Store(r)
	h.tags.Store(tags | sp.tag<<(8*place))
	return true
}

// place returns where a record is, or -1.
func (h *home) place(r *record) int {
	for i := range h.places {
		if h.places[i].Load() == r {
			return i
		}
	}
	return -1
}

// walk calls f for every record at home or in the table that may be of that
// hash, until f returns true.
func (h *home) walk(sp spot, f func(r *record) bool) {
	for i := range h.places {
		if r := h.places[i].Load(); r != nil && f(r) {
			return
		}
	}
	if t := h.more.Load(); t != nil {
		t.walk(sp, func(_ *bucket, _ int, r *record) bool { return f(r) })
	}
}

// replace puts a record into the place of another of the same hash: there is no
// moment without one of them.
func (h *home) replace(sp spot, old, r *record) {
	if i := h.place(old); i >= 0 {
		h.places[i].Store(r)
		return
	}
	h.more.Load().replace(sp, old, r)
}

// each calls f with every record; f may remove it.
func (h *home) each(f func(r *record)) {
	for i := range h.places {
		if r := h.places[i].Load(); r != nil {
			f(r)
		}
	}
	if t := h.more.Load(); t != nil {
		t.each(f)
	}
}

// walk calls f for every place where a record of that hash may be, until f
// returns true or there is none left.
func (t *table) walk(sp spot, f func(at *bucket, place int, r *record) bool) {
	b := sp.home(t.buckets)
	for range t.buckets {
		at := &t.buckets[b]
		tags := at.tags.Load()
		for m := matches(tags, sp.tag, bucketTags); m != 0; m &= m - 1 {
			place := bits.TrailingZeros64(m) >> 3
			if r := at.places[place].Load(); r != nil && f(at, place, r) {
				return
			}
		}
		if tags < passedOne {
			return
		}
		if b++; b == len(t.buckets) {
			b = 0
		}
	}
}

// add puts a record into an empty place. There is one.
func (t *table) add(sp spot, r *record) {
	for b := sp.home(t.buckets); ; b++ {
		at := &t.buckets[b%len(t.buckets)]
		tags := at.tags.Load()
		if free := empty(tags, bucketTags); free != 0 {
			place := bits.TrailingZeros64(free) >> 3
			at.places[place].Store(r)
			at.tags.Store(tags | sp.tag<<(8*place))
			return
		}
		if tags>>passedBits < passedMax {
			at.tags.Store(tags + passedOne)
		}
	}
}

// remove takes out a record, which is there.
func (t *table) remove(sp spot, r *record) {
	home := sp.home(t.buckets)
	t.walk(sp, func(at *bucket, place int, x *record) bool {
		if x != r {
			return false
		}
		at.tags.Store(at.tags.Load() &^ (0xff << (8 * place)))
		at.places[place].Store(nil)
		for b := home; &t.buckets[b] != at; b = (b + 1) % len(t.buckets) {
			if tags := t.buckets[b].tags.Load(); tags>>passedBits < passedMax {
				t.buckets[b].tags.Store(tags - passedOne)
			}
		}
		return true
	})
}

// replace is home.replace in a table.
func (t *table) replace(sp spot, old, r *record) {
	t.walk(sp, func(at *bucket, place int, x *record) bool {
		if x == old {
			at.places[place].Store(r)
		}
		return x == old
	})
}

// each calls f with every record; f may remove it.
func (t *table) each(f func(r *record)) {
	for b := range t.buckets {
		for p := range t.buckets[b].places {
			if r := t.buckets[b].places[p].Load(); r != nil {
				f(r)
			}
		}
	}
}

// holds is how many records so many buckets are for: one is searched through
// anyway, and of several one place in seven stays empty, so that few records lie
// in another bucket than their home.
func holds(buckets int) int {
	if buckets == 1 {
		return bucketLen
	}
	return buckets * (bucketLen - 1)
}

// fit returns how many buckets a table for that many records gets when the
// present one has len buckets: the same number while the records fit and fill
// 3/8 of them, else a quarter more than they need.
func fit(buckets, records int) int {
	if records <= holds(buckets) && (buckets <= 2 || records >= holds(buckets)*3/8) {
		return buckets
	}
	n := 1
	for holds(n) < records {
		n++
	}
	if n > 1 {
		n += n / 4
	}
	return n
}

// insert adds a record to its slot, which then has count records of that kind.
func (s *shard) insert(r *record, count int) {
	h, sp := s.home(r), s.store.spot(r.hash)
	if h.add(sp, r) {
		return
	}
	t := h.more.Load()
	n := 0
	if t != nil {
		n = len(t.buckets)
	}
	m := fit(n, count-homeLen)
	if m != n {
		t = s.rebuilt(t, m)
	}
	t.add(sp, r)
	if m != n {
		h.more.Store(t)
	}
}

// extract takes a record out of its slot, which then has count records of that
// kind.
func (s *shard) extract(r *record, count int) {
	h := s.home(r)
	if i := h.place(r); i >= 0 {
		h.tags.Store(h.tags.Load() &^ (0xff << (8 * i)))
		h.places[i].Store(nil)
		return
	}
	t := h.more.Load()
	t.remove(s.store.spot(r.hash), r)
	if left := count - h.count(); left == 0 {
		h.more.Store(nil)
	} else if m := fit(len(t.buckets), left); m != len(t.buckets) {
		h.more.Store(s.rebuilt(t, m))
	}
}

// rebuilt returns a table with what another has, which may be nil.
func (s *shard) rebuilt(t *table, buckets int) *table {
	n := &table{buckets: make([]bucket, buckets)}
	if t != nil {
		t.each(func(r *record) { n.add(s.store.spot(r.hash), r) })
	}
	return n
}

func (s *shard) home(r *record) *home { return &s.store.index[r.kind()][r.hash%Slots] }

// find returns a key's record, dead or alive, or nil.
func (s *shard) find(kind Kind, ref *Ref) *record {
	return s.store.index[kind].find(s.store.spot(ref.Hash), ref.Hash, ref.Cache, ref.Key)
}

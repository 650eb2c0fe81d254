package cache

import (
	"math/bits"
	"sync/atomic"
)

// index is where readers find the records of one kind: a small hash table for
// each slot. Readers take no lock; whoever changes a table has the lock of the
// slot's shard. So what a slot has lies together, and needs no list.
type index [Slots]atomic.Pointer[table]

// table is the hash table of one slot and kind. A table that is too small or
// too large is replaced by another and is not changed any more: a reader that
// still has it sees what the slot had at that moment, which is after the reader
// began.
type table struct{ buckets []bucket }

// bucket fills a cache line (where a word has 64 bits), so that finding a record
// costs one miss of the processor's caches and the record itself another.
//
// Each of the lowest bytes of tags says with 7 bits of the hash what lies in the
// place of its number, and is 0 where that is empty. The highest byte counts the
// records that found this bucket full and went on to the next; from passedMax on
// it is not known any more.
type bucket struct {
	tags   atomic.Uint64
	places [bucketLen]atomic.Pointer[record]
}

const (
	bucketLen  = 7
	passedBits = 8 * bucketLen
	passedOne  = 1 << passedBits
	passedMax  = 0xff

	eachTag = 0x0001_0101_0101_0101
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

// matches has the highest bit of each byte set whose place may have that tag. It
// may have more, so the record decides.
func matches(tags, tag uint64) uint64 {
	x := tags ^ tag*eachTag
	return (x - eachTag) &^ x & (eachTag << 7)
}

// find returns a key's record or nil. To a reader without the lock nil may also
// come of a change at the same time. A record that it returns was in the index
// at a moment since the table was loaded.
func (t *table) find(sp spot, hash uint64, cacheNumber uint32, key string) *record {
	b := sp.home(t.buckets)
	for range t.buckets {
		at := &t.buckets[b]
		tags := at.tags.Load()
		for m := matches(tags, sp.tag); m != 0; m &= m - 1 {
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

// walk calls f for every place where a record of that hash may be, until f
// returns true or there is none left.
func (t *table) walk(sp spot, f func(at *bucket, place int, r *record) bool) {
	b := sp.home(t.buckets)
	for range t.buckets {
		at := &t.buckets[b]
		tags := at.tags.Load()
		for m := matches(tags, sp.tag); m != 0; m &= m - 1 {
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
		if empty := (tags - eachTag) &^ tags & (eachTag << 7); empty != 0 {
			place := bits.TrailingZeros64(empty) >> 3 // the lowest is exact
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

// replace puts a record into the place of another of the same hash: there is no
// moment without one of them.
func (t *table) replace(sp spot, old, r *record) {
	t.walk(sp, func(at *bucket, place int, x *record) bool {
		if x == old {
			at.places[place].Store(r)
		}
		return x == old
	})
}

// each calls f with every record of a table, which may be nil; f may remove it.
func (t *table) each(f func(r *record)) {
	if t == nil {
		return
	}
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
	at := s.place(r)
	t := at.Load()
	n := 0
	if t != nil {
		n = len(t.buckets)
	}
	m := fit(n, count)
	if m != n {
		t = s.rebuilt(t, m)
	}
	t.add(s.store.spot(r.hash), r)
	if m != n {
		at.Store(t)
	}
}

// extract takes a record out of its slot, which then has count records of that
// kind.
func (s *shard) extract(r *record, count int) {
	at := s.place(r)
	t := at.Load()
	t.remove(s.store.spot(r.hash), r)
	if count == 0 {
		at.Store(nil)
	} else if m := fit(len(t.buckets), count); m != len(t.buckets) {
		at.Store(s.rebuilt(t, m))
	}
}

func (s *shard) rebuilt(t *table, buckets int) *table {
	n := &table{buckets: make([]bucket, buckets)}
	t.each(func(r *record) { n.add(s.store.spot(r.hash), r) })
	return n
}

func (s *shard) place(r *record) *atomic.Pointer[table] {
	return &s.store.index[r.kind()][r.hash%Slots]
}

// find returns a key's record, dead or alive, or nil.
func (s *shard) find(kind Kind, ref *Ref) *record {
	t := s.store.index[kind][ref.Hash%Slots].Load()
	if t == nil {
		return nil
	}
	return t.find(s.store.spot(ref.Hash), ref.Hash, ref.Cache, ref.Key)
}

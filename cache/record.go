package cache

import (
	"math"
	"time"
	"unsafe"
)

// record is an entry as it lies in memory. There may be millions, so a string
// or a slice is kept as a pointer and a short length, the hash is the LRU's key
// and the link's, and what few entries have is apart: so it is one cache line.
// (As a value in the LRU's elements records would take 16 bytes less, but they
// are copied by every look-up; that was measured to cost a tenth of the time
// of a hit.) The shard's lock guards it.
type record struct {
	key        *byte
	value      *byte
	extra      *extra
	version    uint64
	generation uint64
	expires    time.Duration
	link       handle
	cache      uint32
	size       uint32 // of the value
	keyLen     uint16
	bits       uint8
}

// extra is what near copies and entries with a decoded value have besides.
type extra struct {
	leaseEnd time.Duration
	decoded  any
}

const (
	kindBits     = 0b11
	bitTombstone = 1 << 2
	bitNegative  = 1 << 3
	// maxSize of a value in bytes is far below what a record's size can say.
	maxSize = 1 << 30
	// never is after every time.
	never = time.Duration(math.MaxInt64)
)

func (r *record) kind() Kind      { return Kind(r.bits & kindBits) }
func (r *record) tombstone() bool { return r.bits&bitTombstone != 0 }

// keyString and bytes give back what newRecord and set were given: the
// pointers came from slices of these lengths.
func (r *record) keyString() string { return unsafe.String(r.key, int(r.keyLen)) }
func (r *record) bytes() []byte     { return unsafe.Slice(r.value, int(r.size)) }

func (r *record) decoded() any {
	if r.extra == nil {
		return nil
	}
	return r.extra.decoded
}

func (r *record) leaseEnd() time.Duration {
	if r.extra == nil {
		return 0
	}
	return r.extra.leaseEnd
}

// until returns when the record's time is over.
func (r *record) until() time.Duration {
	return untilOf(r.kind(), r.expires, r.leaseEnd())
}

func untilOf(kind Kind, expires, leaseEnd time.Duration) time.Duration {
	end := never
	if expires != 0 {
		end = expires
	}
	if kind == Near {
		end = min(end, leaseEnd)
	}
	return end
}

// newRecord returns a record for a key; its content is still to be set. The key
// is copied to right behind the record: a look-up then misses the processor's
// caches once less, and what the caller's key is a part of is not kept in
// memory. Long keys are an allocation of their own.
func newRecord(ref *Ref, h handle) *record {
	var r *record
	var room []byte
	switch n := len(ref.Key); {
	case n <= 16:
		x := new(record16)
		r, room = &x.record, x.room[:]
	case n <= 32:
		x := new(record32)
		r, room = &x.record, x.room[:]
	case n <= 48:
		x := new(record48)
		r, room = &x.record, x.room[:]
	case n <= 64:
		x := new(record64)
		r, room = &x.record, x.room[:]
	case n <= 128:
		x := new(record128)
		r, room = &x.record, x.room[:]
	default:
		r, room = new(record), make([]byte, n)
	}
	copy(room, ref.Key)
	r.key, r.keyLen, r.cache, r.link = unsafe.SliceData(room), uint16(len(ref.Key)), ref.Cache, h
	return r
}

// Records with room for a key, of sizes that the allocator has.
type (
	record16 struct {
		record
		room [16]byte
	}
	record32 struct {
		record
		room [32]byte
	}
	record48 struct {
		record
		room [48]byte
	}
	record64 struct {
		record
		room [64]byte
	}
	record128 struct {
		record
		room [128]byte
	}
)

// set gives the record an entry's content, without a decoded value.
func (r *record) set(e *Entry) {
	r.version, r.generation, r.expires = e.Version, e.Generation, e.Expires
	r.bits = uint8(e.Kind)
	r.value, r.size, r.extra = nil, 0, nil
	if e.Tombstone {
		r.bits |= bitTombstone
	} else {
		r.value, r.size = unsafe.SliceData(e.Value), uint32(len(e.Value))
	}
	if e.Negative {
		r.bits |= bitNegative
	}
	if e.Kind == Near {
		r.extra = &extra{leaseEnd: e.LeaseEnd}
	}
}

func (r *record) is(cacheNumber uint32, key string) bool {
	return r.cache == cacheNumber && r.keyString() == key
}

func (r *record) ref(hash uint64) Ref {
	return Ref{Hash: hash, Cache: r.cache, Key: r.keyString()}
}

func (r *record) entry() Entry {
	return Entry{
		Kind: r.kind(), Tombstone: r.tombstone(), Negative: r.bits&bitNegative != 0,
		Version: r.version, Generation: r.generation, Value: r.bytes(),
		Expires: r.expires, LeaseEnd: r.leaseEnd(),
	}
}

// cost is what the record is charged with.
func (r *record) cost() int64 {
	c := costOf(int(r.keyLen), int(r.size))
	if r.decoded() != nil {
		c += int64(r.size)
	}
	return c
}

func costOf(key, value int) int64 { return Overhead + int64(key) + int64(value) }

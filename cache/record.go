package cache

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"
)

// record is an entry as it lies in memory. There may be millions, so a slice is
// kept as a pointer and a short length, the key lies right behind, and what few
// entries have is apart: so it is one cache line.
//
// Readers look at records without a lock. So once a record is in the index,
// nothing of it that they look at changes but mark and extra: an overwrite is another record.
type record struct {
	hash       uint64
	version    uint64
	generation uint64
	expires    time.Duration
	value      *byte
	extra      atomic.Pointer[extra]
	size       uint32        // of the value
	mark       atomic.Uint32 // touched, in the lowest bit, and the seat
	cache      uint32
	keyLen     uint16
	bits       uint8
	queue      queue // where in the order it is; no reader's, guarded by the shard's lock
}

// extra is what near copies and entries with a decoded value have besides. It
// does not change; the shard's lock is held to put another in its place.
type extra struct {
	leaseEnd time.Duration
	decoded  any
}

const (
	kindBits     = 0b11
	bitTombstone = 1 << 2
	bitNegative  = 1 << 3
	bitShort     = 1 << 4
	// maxSize of a value in bytes is far below what a record's size can say.
	maxSize = 1 << 30
	// never is after every time.
	never = time.Duration(math.MaxInt64)
)

func (r *record) kind() Kind      { return Kind(r.bits & kindBits) }
func (r *record) tombstone() bool { return r.bits&bitTombstone != 0 }

// deletion tells whether the record is of a Delete, and not of a loader that has
// found nothing.
func (r *record) deletion() bool { return r.bits&(bitTombstone|bitNegative) == bitTombstone }

// touched tells whether a Get has found the record since it was last moved in its
// order. Any reader may touch it.
func (r *record) touched() bool { return r.mark.Load()&1 == 1 }
func (r *record) touch()        { r.mark.Or(1) }
func (r *record) untouch()      { r.mark.And(^uint32(1)) }

// seat is the record's number in its order. It is sat there before any reader can find
// it.
func (r *record) seat() uint32 { return r.mark.Load() >> 1 }
func (r *record) sit(n uint32) { r.mark.Store(n << 1) }

// keyString and bytes give back what newRecord was given: the key is where
// newRecord put it, the value's pointer came from a slice of that length.
func (r *record) keyString() string {
	room := unsafe.Add(unsafe.Pointer(r), unsafe.Sizeof(*r))
	if r.keyLen > maxInline {
		room = *(*unsafe.Pointer)(room)
	}
	return unsafe.String((*byte)(room), int(r.keyLen))
}

func (r *record) bytes() []byte { return unsafe.Slice(r.value, int(r.size)) }

func (r *record) decoded() any {
	if x := r.extra.Load(); x != nil {
		return x.decoded
	}
	return nil
}

func (r *record) leaseEnd() time.Duration {
	if x := r.extra.Load(); x != nil {
		return x.leaseEnd
	}
	return 0
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

// newRecord returns a record of an entry, without a decoded value. The key is
// copied to right behind the record: a look-up then misses the processor's
// caches once less, and what the caller's key is a part of is not kept in
// memory. Long keys are an allocation of their own.
func newRecord(ref *Ref, e *Entry) *record {
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
	case n <= maxInline:
		x := new(record128)
		r, room = &x.record, x.room[:]
	default:
		x := new(recordLong)
		room = make([]byte, n)
		x.room = unsafe.Pointer(unsafe.SliceData(room))
		r = &x.record
	}
	copy(room, ref.Key)
	r.hash, r.cache, r.keyLen = ref.Hash, ref.Cache, uint16(len(ref.Key))
	r.version, r.generation, r.expires = e.Version, e.Generation, e.Expires
	r.bits = uint8(e.Kind)
	if e.Tombstone {
		r.bits |= bitTombstone
	} else {
		r.value, r.size = unsafe.SliceData(e.Value), uint32(len(e.Value))
	}
	if e.Negative {
		r.bits |= bitNegative
	}
	if e.Short {
		r.bits |= bitShort
	}
	if e.Kind == Near {
		r.extra.Store(&extra{leaseEnd: e.LeaseEnd})
	}
	return r
}

// maxInline is the longest key that lies behind its record.
const maxInline = 128

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
		room [maxInline]byte
	}
	recordLong struct {
		record
		room unsafe.Pointer // to the key's bytes
	}
)

func (r *record) is(cacheNumber uint32, key string) bool {
	return r.cache == cacheNumber && r.keyString() == key
}

func (r *record) ref() Ref {
	return Ref{Hash: r.hash, Cache: r.cache, Key: r.keyString()}
}

func (r *record) entry() Entry {
	return Entry{
		Kind: r.kind(), Tombstone: r.tombstone(), Negative: r.bits&bitNegative != 0, Short: r.bits&bitShort != 0,
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

package cluster

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/peercache/peercache/cache"
)

const (
	// slotCount is how many slots all keys are shared out over. Half as many do
	// for 100 members; with 300 a member's share then differs so much from the
	// mean that a leave moves up to 1.36 times of it.
	slotCount = cache.Slots

	virtualNodes = 640
	// A member's fill is fillNum/fillDen times the mean, rounded down.
	fillNum, fillDen = 6, 5
	// maxTries bounds how far a slot goes round the hash ring. With three members
	// the last of three holders is found by then but once in 10^11 slots.
	maxTries = 64
	// maxOnRing is as many members as a holder's index can tell apart.
	maxOnRing = 1 << 16
)

// ring says which members hold each slot. It is made from the members' plain
// names alone, so nodes that agree on the names agree on the ring. It is
// immutable.
type ring struct {
	names []string // sorted, each once
	// holders are indices into names: width of them for each slot, the owner
	// first, then the backups.
	holders []uint16
	width   int
}

// newRing shares the slots out, each to an owner and to as many backups as there
// are members for. Neither the order of names nor one that is there twice
// matters, and the owners are the same whatever the number of backups.
//
// It is consistent hashing with bounded loads (Mirrokni, Thorup and
// Zadimoghaddam 2018): a slot goes round a hash ring from its own point and
// passes over those that have their fill. So what a full member turned away is
// where it would be without that member, and stays there when it leaves.
//
// The slots' own points are not hashes: they lie evenly, and those of slots that
// follow one another far apart. So how many of them a member gets differs less
// from its share of the ring, and which of them find it full has nothing to do
// with where they lie.
func newRing(names []string, backups int) *ring {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	names = names[:min(len(names), maxOnRing)]
	r := &ring{names: names, width: min(max(backups, 0)+1, len(names))}
	r.holders = make([]uint16, slotCount*r.width)
	if len(names) > 1 {
		newPlacement(r).place()
	}
	return r
}

// owners returns the holders of a slot as indices into names, the owner first,
// then the backups; nothing where there are no names. The slice is the ring's
// own.
func (r *ring) owners(slot int) []uint16 {
	i := slot * r.width
	return r.holders[i : i+r.width : i+r.width]
}

// placement fills a ring. Its hash ring is the one that golang/groupcache's
// consistenthash makes of the virtual nodes (a test holds it to that); that one
// tells no neighbours, and takes three times as long for a look-up, while calls
// may be waiting.
type placement struct {
	*ring
	points []point // by where they are, each place once
	load   []int   // slots held so far, beside names
}

// point is a virtual node on the hash ring.
type point struct {
	at     uint32
	member uint16
}

func newPlacement(r *ring) *placement {
	p := &placement{ring: r, points: make([]point, 0, len(r.names)*virtualNodes), load: make([]int, len(r.names))}
	var buf []byte
	for i, name := range r.names {
		for v := range virtualNodes {
			buf = append(strconv.AppendInt(buf[:0], int64(v), 10), '/')
			buf = append(buf, name...)
			p.points = append(p.points, point{fold(buf), uint16(i)})
		}
	}
	// Where two points collide the last of the sorted names has it.
	slices.SortFunc(p.points, func(a, b point) int {
		if c := cmp.Compare(a.at, b.at); c != 0 {
			return c
		}
		return cmp.Compare(b.member, a.member)
	})
	p.points = slices.CompactFunc(p.points, func(a, b point) bool { return a.at == b.at })
	return p
}

// place gives all slots their owners first, so that these do not depend on the
// backups.
func (p *placement) place() {
	next := make([]uint32, slotCount) // where a slot goes on, an index into points
	for slot := range next {
		next[slot] = p.find(pointOf(slot))
	}
	for level := range p.width {
		fill := fillOf(slotCount*(level+1), len(p.names))
		for slot := range slotCount {
			i := slot * p.width
			m := p.pick(slot, p.holders[i:i+level], fill, &next[slot])
			p.holders[i+level] = m
			p.load[m]++
		}
	}
}

// pointOf returns where on the hash ring a slot goes out from.
func pointOf(slot int) uint32 { return bits.Reverse32(uint32(slot)) }

// fillOf returns how many of total places one of n members may have.
func fillOf(total, n int) int {
	return max(total*fillNum/(n*fillDen), (total+n-1)/n)
}

// find returns the first point at that place of the hash ring or behind it.
func (p *placement) find(at uint32) uint32 {
	i, _ := slices.BinarySearchFunc(p.points, at, func(x point, at uint32) int { return cmp.Compare(x.at, at) })
	if i == len(p.points) {
		return 0
	}
	return uint32(i)
}

// pick returns the next holder of a slot that has those holders already, and
// moves on behind it.
func (p *placement) pick(slot int, has []uint16, fill int, next *uint32) uint16 {
	for range maxTries {
		m := p.points[*next].member
		if *next++; int(*next) == len(p.points) {
			*next = 0
		}
		if p.load[m] < fill && !slices.Contains(has, m) {
			return m
		}
	}
	return p.fallback(slot, has, fill)
}

// fallback ends the search for sure: the member with room that has the highest
// hash with this slot (rendezvous hashing), or where none has room, the one
// that holds the least.
func (p *placement) fallback(slot int, has []uint16, fill int) uint16 {
	best, most := -1, uint64(0)
	least := -1
	for i, name := range p.names {
		if slices.Contains(has, uint16(i)) {
			continue
		}
		if least < 0 || p.load[i] < p.load[least] {
			least = i
		}
		if p.load[i] >= fill {
			continue
		}
		if h := mix(xxhash.Sum64String(name) ^ uint64(slot)); best < 0 || h > most {
			best, most = i, h
		}
	}
	if best < 0 {
		best = least
	}
	return uint16(best)
}

// fold makes 32 bits of a hash of 64.
func fold(b []byte) uint32 {
	h := xxhash.Sum64(b)
	return uint32(h ^ h>>32)
}

// slotOf returns the slot of a key's hash.
func slotOf(hash uint64) int { return int(hash & (slotCount - 1)) }

// hashKey hashes the name of a cache and a key.
func hashKey(cacheName, key string) uint64 { return newKeyHasher(cacheName).hash(key) }

// keyHasher hashes the keys of one cache.
type keyHasher struct{ seed uint64 }

// nameSeed makes the hash of a cache's name another function than that of a
// key, or key "a" of cache "b" and key "b" of cache "a" would always collide.
const nameSeed = 0x9e3779b97f4a7c15

func newKeyHasher(cacheName string) keyHasher {
	var d xxhash.Digest
	d.ResetWithSeed(nameSeed)
	_, _ = d.WriteString(cacheName) // does not fail
	return keyHasher{seed: d.Sum64()}
}

// hash never runs the bytes of name and key together, so no two pairs of them
// look alike.
func (h keyHasher) hash(key string) uint64 { return mix(xxhash.Sum64String(key) ^ h.seed) }

// mix spreads every bit over all others: MurmurHash3's 64-bit finalizer, which
// maps no two numbers to the same one.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

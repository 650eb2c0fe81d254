package cluster

import (
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/golang/groupcache/consistenthash"

	"github.com/peercache/peercache/cache"
)

const (
	// slotCount is how many slots all keys are shared out over.
	slotCount = cache.Slots

	virtualNodes = 160
	// A member's fill is fillNum/fillDen times the mean, rounded down.
	fillNum, fillDen = 5, 4
	// maxTries bounds how many candidates a slot asks the hash ring for. With
	// three members the last of three holders needs more once in 400,000 slots.
	maxTries = 32
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
// Zadimoghaddam 2018): a slot asks a hash ring for one candidate after the
// other and passes over those that have their fill.
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

// placement fills a ring.
type placement struct {
	*ring
	hash  *consistenthash.Map
	index map[string]uint16 // of the names as hash knows them
	load  []int             // slots held so far, beside names
	buf   []byte
}

func newPlacement(r *ring) *placement {
	p := &placement{
		ring:  r,
		hash:  consistenthash.New(virtualNodes, fold),
		index: make(map[string]uint16, len(r.names)),
		load:  make([]int, len(r.names)),
	}
	// The hash ring puts a number before each name: without the slash "1" and
	// "11" would share points.
	marked := make([]string, len(r.names))
	for i, name := range r.names {
		marked[i] = "/" + name
		p.index[marked[i]] = uint16(i)
	}
	// Where two points collide the last one added wins, so the sorted names are
	// added all at once.
	p.hash.Add(marked...)
	return p
}

// place gives all slots their owners first, so that these do not depend on the
// backups.
func (p *placement) place() {
	next := make([]uint8, slotCount) // the first candidate not yet asked for
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

// fillOf returns how many of total places one of n members may have.
func fillOf(total, n int) int {
	return max(total*fillNum/(n*fillDen), (total+n-1)/n)
}

// pick returns the next holder of a slot that has those holders already.
func (p *placement) pick(slot int, has []uint16, fill int, next *uint8) uint16 {
	for ; *next < maxTries; *next++ {
		m := p.candidate(slot, int(*next))
		if p.load[m] < fill && !slices.Contains(has, m) {
			*next++
			return m
		}
	}
	return p.fallback(slot, has, fill)
}

// candidate returns what the hash ring answers for "slot/k".
func (p *placement) candidate(slot, k int) uint16 {
	p.buf = strconv.AppendInt(p.buf[:0], int64(slot), 10)
	p.buf = append(p.buf, '/')
	p.buf = strconv.AppendInt(p.buf, int64(k), 10)
	return p.index[p.hash.Get(string(p.buf))]
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

// fold makes the 32 bits that consistenthash wants of a hash of 64.
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

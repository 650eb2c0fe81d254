package cluster

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/golang/groupcache/consistenthash"

	"github.com/peercache/peercache/cache"
)

const (
	// slotCount is how many slots all keys are shared out over. Half as many do
	// for 100 members; with 300 a member's share then differs so much from the
	// mean that a leave moves up to 1.4 times of it.
	slotCount = cache.Slots

	virtualNodes = 640
	// A member's fill is fillNum/fillDen times the mean, rounded down.
	fillNum, fillDen = 5, 4
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
	hash   *consistenthash.Map
	points map[string]point // by the name of the virtual node
	load   []int            // slots held so far, beside names
}

// point is a virtual node on the hash ring.
type point struct {
	member uint16
	at     uint32
}

func newPlacement(r *ring) *placement {
	p := &placement{
		ring:   r,
		hash:   consistenthash.New(1, ringHash),
		points: make(map[string]point, len(r.names)*virtualNodes),
		load:   make([]int, len(r.names)),
	}
	// The hash ring tells the name of a point but not where it is, so each
	// virtual node is a name of its own.
	list := make([]string, 0, len(r.names)*virtualNodes)
	for i, name := range r.names {
		for v := range virtualNodes {
			node := strconv.Itoa(v) + "/" + name
			list = append(list, node)
			p.points[node] = point{member: uint16(i), at: ringHash([]byte("0" + node))}
		}
	}
	// Where two points collide the last one added wins, so the sorted names are
	// added all at once.
	p.hash.Add(list...)
	return p
}

// place gives all slots their owners first, so that these do not depend on the
// backups.
func (p *placement) place() {
	next := make([]uint32, slotCount) // where a slot goes on
	for slot := range next {
		next[slot] = fold(strconv.AppendInt(nil, int64(slot), 10))
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

// fillOf returns how many of total places one of n members may have.
func fillOf(total, n int) int {
	return max(total*fillNum/(n*fillDen), (total+n-1)/n)
}

// pick returns the next holder of a slot that has those holders already, and
// moves on behind it.
func (p *placement) pick(slot int, has []uint16, fill int, next *uint32) uint16 {
	for range maxTries {
		c := p.from(*next)
		*next = c.at + 1
		if p.load[c.member] < fill && !slices.Contains(has, c.member) {
			return c.member
		}
	}
	return p.fallback(slot, has, fill)
}

// from returns the first virtual node at that point of the hash ring or behind it.
func (p *placement) from(at uint32) point {
	var key [5]byte
	key[0] = isPoint
	binary.BigEndian.PutUint32(key[1:], at)
	return p.points[p.hash.Get(string(key[:]))]
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

// isPoint begins a key that stands for a point of the hash ring. All others begin
// with a digit.
const isPoint = 0xff

// ringHash is the function of the hash ring.
func ringHash(b []byte) uint32 {
	if len(b) == 5 && b[0] == isPoint {
		return binary.BigEndian.Uint32(b[1:])
	}
	return fold(b)
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

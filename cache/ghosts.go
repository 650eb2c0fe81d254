package cache

// ghosts remembers what was evicted lately, by half of its hash, in 8 to 20 bytes
// for each record that there is. It is a table of sets of 8: where a set is full
// the ghost that is the most out of date is forgotten.
type ghosts struct {
	sets [][8]ghost
	last [2]uint32 // the numbers of the last ones
}

// ghost has 32 bits of a hash, the number of its eviction among those of its
// kind, and the kind in the lowest bit. 0 is none.
type ghost uint64

type ghostKind int

const (
	ofRecent ghostKind = iota
	ofFrequent
	noGhost ghostKind = -1
)

const ghostNumbers = 1<<31 - 1

func (g *ghosts) set(hash uint64) *[8]ghost {
	return &g.sets[hash>>32*uint64(len(g.sets))>>32]
}

// ghostOf makes a ghost of the half of the hash that did not choose the shard
// alone, and that of mix did not choose the set.
func ghostOf(hash uint64, kind ghostKind, number uint32) ghost {
	return ghost(hash<<32 | 1<<32 | uint64(number)<<1 | uint64(kind))
}

func (x ghost) kind() ghostKind { return ghostKind(x & 1) }

// age is how many of its kind were evicted after it.
func (g *ghosts) age(x ghost) int {
	return int((g.last[x.kind()] - uint32(x)>>1) & ghostNumbers)
}

// add remembers that one of records was evicted.
func (g *ghosts) add(hash uint64, kind ghostKind, spans [2]int, records int) {
	if 2*records > 3*8*len(g.sets) {
		g.sets = make([][8]ghost, records*5/(4*8)+1) // who was in a smaller one is forgotten
	}
	g.last[kind] = (g.last[kind] + 1) & ghostNumbers
	hash = mix(hash)
	set := g.set(hash)
	place, past := 0, 0
	for i, x := range set {
		if x == 0 {
			place = i
			break
		}
		if p := g.age(x) - spans[x.kind()]; i == 0 || p > past {
			place, past = i, p
		}
	}
	set[place] = ghostOf(hash, kind, g.last[kind])
}

// take tells whether one of that hash was evicted as lately as spans says, and
// forgets it.
func (g *ghosts) take(hash uint64, spans [2]int) ghostKind {
	if len(g.sets) == 0 {
		return noGhost
	}
	hash = mix(hash)
	set := g.set(hash)
	for i, x := range set {
		if x != 0 && x>>32 == ghostOf(hash, 0, 0)>>32 {
			set[i] = 0
			if g.age(x) >= spans[x.kind()] {
				return noGhost
			}
			return x.kind()
		}
	}
	return noGhost
}

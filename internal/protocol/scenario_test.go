package protocol

import (
	"fmt"
	"time"
)

// scenario is a small case: who is there, which tables each goes through, and
// what may happen. Members are numbered from 0 (A); sets of them are bits.
type scenario struct {
	name  string
	group string
	tabs  []tab
	seq   [4][]int  // the tables that each member goes through
	need  [4][]need // what must be before it goes on from each

	kinds   string // of the writes from 1 on: set, delete, clear, load
	pre     bool   // write 1 is in place at the start
	nearPre uint8  // who has a near copy then
	who     uint8  // who may write
	getWho  uint8  // who may read; 0: all
	gets    uint8  // reads that ask the owner, at most
	load    bool   // reads load
	none    bool   // nobody keeps near copies

	joiner    uint8 // members that come with nothing
	leaver    uint8 // member+1
	crash     uint8 // member+1
	crash2    uint8 // member+1 of another, at any other time
	restart   uint8 // member+1 that starts when the crash is over
	gone      bool  // the others may be told that the crashed one's process is gone
	evict     uint8 // entries or tombstones evicted, at most
	floors    uint8 // floors raised by other keys that are evicted, at most
	expire    uint8 // entries expired, at most
	retry     uint8 // writes sent again by a client that does not know (without rule once)
	deadlines uint8 // deadlines that pass, at most
	lose, dup uint8 // messages lost or received twice, at most
	stage     uint8 // members that copy the slot ahead from the owner of table 0
	strange   uint8 // who takes its slots again with its last table (rule stranger)
	large     bool  // grants carry no contents
	mute      uint8 // members whose messages are lost
	split     uint8 // members of the second side
	cuts      bool  // and nothing passes between the two for a while
	forgets   bool  // nobody remembers who was taken out: it was too long ago
	fence     int   // Config.Fence: how many have to answer a member that serves; 0: none
	unfenced  bool  // who has too few answers serves all the same
	unwaited  bool  // and nobody waits until it serves no longer
	untold    bool  // and nobody knows how far it may count
	tellsB    bool  // of A's versions B has heard, not C
	ahead     uint8 // members whose clocks are ahead of the others' at the start
	sweeps    bool  // what a clear has made dead is swept at once
	max       int   // limit of queues; 0: wide
	plain     bool  // the search leaves nothing out (reduce_test.go)
	paced     bool  // takes and syncs begin later
	still     bool  // worlds are not followed to their rest
	slow      bool  // and nothing that is on its way comes at once
	p2        bool  // an acknowledged Set must be readable in the end

	off    rules
	tables []*Table
}

// tab describes a Table.
type tab struct {
	members uint8
	owner   uint8 // member
	backups uint8
	leaving uint8
	joining uint8 // reached, but not members
	digest  uint64
}

// need is what must be before a member goes on to its next table.
type need uint8

const (
	nothing need = iota
	hasCrashed
	hasCrashed2
	bothCrashed
	hasRestarted
	hasLeft
	hasCut
	hasHealed
	wasOut // of the tables of all others
)

const (
	inA, inB, inC, inD = 1, 2, 4, 8
	inAB, inAC, inBC   = inA | inB, inA | inC, inB | inC
	inABC              = inA | inB | inC
)

func member(x uint8) Member { return Member(x) + 1 }
func index(m Member) uint8  { return uint8(m) - 1 }
func letter(x uint8) string { return string(rune('A' + x)) }
func letters(set uint8) (s string) {
	for x := range uint8(4) {
		if set>>x&1 == 1 {
			s += letter(x)
		}
	}
	return s
}

func membersOf(set uint8) []Member {
	list := make([]Member, 0, 4)
	for x := range uint8(4) {
		if set>>x&1 == 1 {
			list = append(list, member(x))
		}
	}
	return list
}

func (sc *scenario) prepare() {
	for i, t := range sc.tabs {
		digest := t.digest
		if digest == 0 {
			digest = uint64(i) + 1
		}
		place := append([]Member{member(t.owner)}, membersOf(t.backups)...)
		sc.tables = append(sc.tables, &Table{
			Digest: digest, Members: membersOf(t.members), Active: membersOf(t.members &^ t.leaving),
			Reach: membersOf(t.members | t.joining), MaxNear: nearFor,
			Place: func(int) []Member { return place },
		})
	}
	if sc.getWho == 0 {
		sc.getWho = 15
	}
}

func (sc *scenario) limits() Shared {
	sh := Shared{
		MaxParked: 8, MaxQueued: 8, MaxLeases: 8, GrantBytes: 1 << 20, Tombstone: later, Resend: later, off: sc.off,
	}
	if sc.max > 0 {
		sh.MaxParked, sh.MaxQueued, sh.MaxLeases = sc.max, sc.max, sc.max
	}
	sh.Fenced = sc.fence > 0
	if sc.large {
		sh.GrantBytes = 0
	}
	sh.Paced = sc.paced
	return sh
}

// near is how long near copies are kept.
func (sc *scenario) near() time.Duration {
	if sc.none {
		return 0
	}
	return nearFor
}

// begin returns the world at the start: the first tables settled, the first
// write and near copies in place, what was lent before long over, and the
// joiners on their way.
func (r *runner) begin() *world {
	sc := r.sc
	w := &world{core: core{
		gets: sc.gets, evict: sc.evict, floors: sc.floors, expire: sc.expire, retry: sc.retry,
		deadlines: sc.deadlines, lose: sc.lose, dup: sc.dup,
		lostOne: sc.split != 0,
	}}
	for x := range w.nodes {
		w.nodes[x] = nobody
		if len(sc.seq[x]) > 0 && int(sc.restart) != x+1 {
			n := newNode(member(uint8(x)), sc.limits(), sc.sweeps)
			if sc.split != 0 {
				n.clock.self = uint64(n.sh.Self)
			}
			if sc.ahead>>x&1 == 1 {
				n.clock.last = 100
			}
			w.nodes[x] = r.settle(n)
		}
	}
	setup := func(x uint8, f func(n *node)) {
		r.local(w, x, atOnce, 0, func(n *node) {
			f(n)
			n.slot.Proceed(now, &r.out)
		})
		for r.finish(w); len(w.packets) > 0; {
			w = r.apply(w, step{kind: deliver, p: w.packets[0]})
		}
	}
	joins := func(x uint8) bool { return !w.nodes[x].alive || sc.joiner>>x&1 == 1 }
	for x := range uint8(4) {
		if !joins(x) {
			setup(x, r.firstTable(x))
		}
	}
	for x := range uint8(4) {
		if !joins(x) {
			setup(x, func(n *node) { n.slot.revokeAll = 0 })
		}
	}
	owner := sc.tabs[sc.seq[firstOf(sc)][0]].owner
	if sc.pre {
		w.begun(1)
		w.ops[1] = op{state: waiting, client: owner, target: owner}
		setup(owner, func(n *node) {
			n.slot.Write(WriteCall{Call: writeCall(1), Ref: ref, Value: values[1], Deadline: never}, now, &r.out)
		})
		if w.ops[1].state != acked {
			panic(fmt.Sprintf("%s: the first write is not in place", sc.name))
		}
	}
	if sc.split&sc.tabs[0].backups != 0 { // both have what was before
		w.know[0], w.know[1] = w.know[0].with(&w.know[1]), w.know[1].with(&w.know[0])
	}
	for x := range uint8(4) {
		if sc.nearPre>>x&1 == 1 {
			keep := w.gets
			w.gets = 1
			w = r.apply(w, step{kind: startGet, x: x})
			for len(w.packets) > 0 {
				w = r.apply(w, step{kind: deliver, p: w.packets[0]})
			}
			w.gets = keep
			if !w.nodes[x].mem.has[1] {
				panic(fmt.Sprintf("%s: no near copy at %s", sc.name, letter(x)))
			}
		}
	}
	for x := range uint8(4) {
		if w.nodes[x].alive && joins(x) {
			r.local(w, x, atOnce, 0, r.firstTable(x))
		}
	}
	r.finish(w)
	return w
}

func firstOf(sc *scenario) uint8 {
	for x := range uint8(4) {
		if len(sc.seq[x]) > 0 && sc.joiner>>x&1 == 0 {
			return x
		}
	}
	return 0
}

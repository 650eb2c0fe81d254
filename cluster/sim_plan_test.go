package cluster

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

var simMinutes = flag.Float64("sim.minutes", 0, "how long the faults of TestSim go on, in virtual minutes; 0: as the seed says")

// storms is how many seeds TestSim runs where it is not told.
const storms = 4

// maxBackups is the most that a plan gives each entry.
const maxBackups = 2

// A plan is all that is chosen from a seed before anything runs: what the
// cluster is like, and what befalls it when.
type plan struct {
	nodes    int // at first
	most     int // with those that join later
	backups  int
	fence    int // 0: none
	near     time.Duration
	memory   int64 // of each node; small: entries are evicted
	secret   bool
	uneven   bool // the ways between hosts differ, by up to a hundred times
	together bool // the first nodes start in the same instant
	skewed   bool // wall clocks are wrong, drift and jump
	padded   bool // values of up to 30 KiB
	clients  int
	bursts   int // of calls, all clients at the same time
	lasts    time.Duration
	strikes  []strike
}

// blow is what befalls a cluster.
type blow uint8

const (
	blowCrash  blow = iota // of a process or of a host, and its restart
	blowLeave              // in order, and comes back
	blowJoin               // one or two that were not there before
	blowFreeze             // and thaws
	blowSplit              // the network is cut between one side and the other
	blowFlap               // the same, again and again
	blowBreak              // all streams between two hosts are reset, several times
	blowLoss               // packets and segments, everywhere
	blowSlow               // all ways of one host
	blowJump               // a wall clock does
	blows                  // how many there are
)

// strike is one of them. It begins at a time, and what it does ends some time
// later, or with the plan.
type strike struct {
	blow   blow
	at     time.Duration
	lasts  time.Duration
	seats  []int // whom it befalls: one node, or one side of a cut
	cut    sim.Cut
	oneWay uint8         // 0: both, 1: what the side sends, 2: what it is sent
	every  time.Duration // of what is repeated
	power  bool          // the host loses its power: nobody is told
	moved  bool          // it comes back with another address
	never  bool          // it does not come back
	loss   float64
	link   sim.Link // what is added
	ahead  time.Duration
}

func seatName(i int) string { return fmt.Sprint("n", i+1) }

func (k *strike) String() string {
	var who []string
	for _, s := range k.seats {
		who = append(who, seatName(s))
	}
	names := strings.Join(who, ", ")
	way := [...]string{"in both directions", "for what they send", "for what they are sent"}[k.oneWay]
	cut := map[sim.Cut]string{sim.Refuse: "refused", sim.BlackHole: "swallowed"}[k.cut]
	back := ""
	switch {
	case k.never:
		back = ", for good"
	case k.moved:
		back = fmt.Sprintf(", and comes back with another address after %v", k.lasts)
	default:
		back = fmt.Sprintf(", and comes back after %v", k.lasts)
	}
	s := ""
	switch k.blow {
	case blowCrash:
		s = map[bool]string{true: "the host of " + names + " loses its power", false: names + " is killed"}[k.power] + back
	case blowLeave:
		s = names + " leaves in order" + back
	case blowJoin:
		s = names + map[bool]string{true: " join, 7 ms apart", false: " joins"}[len(k.seats) > 1]
	case blowFreeze:
		s = fmt.Sprintf("%s is frozen for %v", names, k.lasts)
	case blowSplit:
		s = fmt.Sprintf("%s is cut off from the others for %v, %s %s", names, k.lasts, cut, way)
	case blowFlap:
		s = fmt.Sprintf("%s is cut off from the others and not, every %v for %v, %s %s", names, k.every, k.lasts, cut, way)
	case blowBreak:
		s = fmt.Sprintf("the streams between %s break every %v for %v", names, k.every, k.lasts)
	case blowLoss:
		s = fmt.Sprintf("%.0f%% is lost everywhere for %v", 100*k.loss, k.lasts)
	case blowSlow:
		s = fmt.Sprintf("all ways of %s are slower for %v, by %v and %v more, %d bytes a second", names, k.lasts, k.link.Latency, k.link.Jitter, k.link.Bandwidth)
	case blowJump:
		s = fmt.Sprintf("the wall clock of %s jumps by %v and back, every %v for %v", names, k.ahead, k.every, k.lasts)
	}
	return fmt.Sprintf("at %v %s", k.at, s)
}

func (p *plan) String() string {
	s := fmt.Sprintf("%d nodes with %d backups and a fence of %d, near copies for %v, %d KiB; secret %v, uneven links %v, wrong clocks %v, long values %v; starting %s; %d clients, %d bursts of calls, %v of faults:",
		p.nodes, p.backups, p.fence, p.near, p.memory>>10, p.secret, p.uneven, p.skewed, p.padded,
		map[bool]string{true: "all together", false: "one by one"}[p.together], p.clients, p.bursts, p.lasts)
	for i := range p.strikes {
		s += "\n  " + p.strikes[i].String()
	}
	return s
}

// between is a duration by chance, each size as likely as another.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	d := time.Duration(float64(low) * math.Pow(float64(high)/float64(low), r.Float64()))
	return d.Round(max(low/100, time.Microsecond))
}

func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func newPlan(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 11))
	p := &plan{
		nodes:    []int{1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 9}[r.IntN(13)],
		backups:  r.IntN(maxBackups + 1),
		near:     []time.Duration{-1, 100 * time.Millisecond, time.Second, DefaultNearTTL}[r.IntN(4)],
		memory:   64 << 20,
		secret:   oneIn(r, 8),
		uneven:   oneIn(r, 3),
		together: oneIn(r, 3),
		skewed:   oneIn(r, 2),
		padded:   oneIn(r, 6),
		clients:  2 + r.IntN(4),
	}
	p.lasts = between(r, 15*time.Second, time.Minute)
	switch r.IntN(16) {
	case 0:
		p.lasts = between(r, 4*time.Minute, 11*time.Minute)
	case 1, 2, 3:
		p.lasts = between(r, time.Minute, 3*time.Minute)
	}
	if *simMinutes > 0 {
		p.lasts = time.Duration(*simMinutes * float64(time.Minute))
	}
	if oneIn(r, 8) && !p.padded {
		p.memory = 96 << 10
	}
	if oneIn(r, 50) {
		p.nodes, p.lasts, p.near = 30, min(p.lasts, 40*time.Second), time.Second
	}
	p.most = p.nodes
	p.bursts = min(20+int(p.lasts/(2*time.Second)), 60)
	p.strike(r)
	p.fenceOff(rand.New(rand.NewPCG(seed, 16)))
	return p
}

// fenceOff gives some plans a fence, where the first nodes are enough for it.
func (p *plan) fenceOff(r *rand.Rand) {
	if majority := p.most/2 + 1; oneIn(r, 4) && p.nodes > majority {
		p.fence = majority
	}
}

// strike draws what befalls the cluster. A node that one thing has befallen is
// spared by others of the kind until that is over.
func (p *plan) strike(r *rand.Rand) {
	count := min(1+r.IntN(3+int(p.lasts/(6*time.Second))), 14)
	if p.nodes == 30 {
		count = 2
	}
	times := make([]time.Duration, count)
	for i := range times {
		times[i] = time.Duration(r.Int64N(int64(p.lasts))).Round(time.Millisecond)
	}
	slices.Sort(times)
	for i := range times[1:] {
		if oneIn(r, 3) { // one comes shortly after another
			times[i+1] = min(times[i]+between(r, time.Millisecond, time.Second), p.lasts-1)
		}
	}
	slices.Sort(times)
	free := make([]time.Duration, p.nodes) // from when on
	for _, at := range times {
		k := strike{blow: blow(r.IntN(int(blows))), at: at, cut: []sim.Cut{sim.BlackHole, sim.BlackHole, sim.Refuse}[r.IntN(3)]}
		if oneIn(r, 2) {
			k.oneWay = uint8(r.IntN(3))
		}
		k.lasts = between(r, time.Second, max(p.lasts-at, 2*time.Second))
		if oneIn(r, 4) {
			k.lasts = p.lasts - at
		}
		var spared []int
		for i, from := range free {
			if from <= at {
				spared = append(spared, i)
			}
		}
		one := func() bool {
			if len(spared) < 2 {
				return false // one is left alone, so that there always is somebody
			}
			k.seats = []int{spared[r.IntN(len(spared))]}
			return true
		}
		switch k.blow {
		case blowCrash, blowLeave:
			k.lasts = between(r, 10*time.Millisecond, min(time.Minute, p.lasts))
			k.power, k.moved, k.never = oneIn(r, 3), oneIn(r, 3), oneIn(r, 6)
			if !one() {
				continue
			}
			free[k.seats[0]] = at + k.lasts + 5*time.Second
			if k.never {
				free[k.seats[0]] = math.MaxInt64
			}
		case blowJoin:
			if p.most > p.nodes+3 || p.nodes == 30 {
				continue
			}
			for range 1 + r.IntN(2) {
				k.seats = append(k.seats, p.most)
				p.most++
				free = append(free, at+5*time.Second)
			}
		case blowFreeze:
			k.lasts = between(r, time.Second, 90*time.Second)
			if !one() {
				continue
			}
			free[k.seats[0]] = at + k.lasts
		case blowSplit, blowFlap:
			k.every = between(r, 100*time.Millisecond, 10*time.Second)
			if p.nodes < 2 {
				continue
			}
			side := 1
			if oneIn(r, 2) {
				side = 1 + r.IntN(p.nodes-1)
			}
			k.seats = r.Perm(p.nodes)[:side]
			slices.Sort(k.seats)
		case blowBreak:
			k.every = between(r, 20*time.Millisecond, time.Second)
			k.lasts = min(k.lasts, 20*time.Second)
			if p.nodes < 2 {
				continue
			}
			k.seats = r.Perm(p.nodes)[:2]
		case blowLoss:
			k.loss = 0.3 * r.Float64() * r.Float64()
		case blowSlow:
			k.seats = []int{r.IntN(p.nodes)}
			k.link.Latency = between(r, time.Millisecond, 300*time.Millisecond)
			k.link.Jitter = k.link.Latency
			k.link.Bandwidth = int(between(r, 1<<20, 64<<20))
		case blowJump:
			if !p.skewed {
				continue
			}
			k.seats = []int{r.IntN(p.nodes)}
			k.ahead, k.every = skew(r), between(r, 200*time.Millisecond, 10*time.Second)
		}
		p.strikes = append(p.strikes, k)
	}
	slices.SortStableFunc(p.strikes, func(a, b strike) int { return cmp.Compare(a.at, b.at) })
}

// skew is by how much a wall clock is wrong.
func skew(r *rand.Rand) time.Duration {
	d := between(r, time.Second, 10*time.Minute)
	if oneIn(r, 2) {
		return -d
	}
	return d
}

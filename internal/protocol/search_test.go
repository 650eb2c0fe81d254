package protocol

import (
	"flag"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
)

// The search drives this package's own code through every order of events that
// a small case allows, nearest first, so that what it finds is the shortest way
// to something wrong.
//
//	scenario_test.go   what a case is, and how it begins
//	scenarios_test.go  the cases
//	world_test.go      a state: nodes, what is on its way, what callers know
//	step_test.go       what may happen next
//	apply_test.go      and what follows
//	client_test.go     the callers, as the node around the protocol serves them
//	oracle_test.go     what a read must not return
//	memory_test.go     store, generations and clock, for one key
//	clone_test.go      a step changes a copy
//	encode_test.go     which states are the same
//	rules_test.go      no rule is there for nothing
//
// A short search visits the first states of each case. A full one goes to the
// end of all, which takes hours and some 10 GiB:
//
//	go test ./internal/protocol -run 'TestSearch|TestRulesNeeded' -search.full -v -timeout 12h
//
// Besides P1 and P2 it is wrong when nothing is left to happen and the owner
// does not serve, a call has no answer, or a copy is kept that nobody needs.
//
// Time is in the hands of the search: everything happens at one moment, and a
// deadline passes, or a lease ends, whenever it may. The holder's lease ends
// before the owner's record of it.
var (
	searchFull = flag.Bool("search.full", false, "search every scenario to its end, or to -search.max")
	searchMax  = flag.Int("search.max", 0, "most states of a scenario; 0: no limit in a full search, few in a short one")
	searchOnly = flag.String("search.only", "", "only scenarios whose name matches this regular expression")
)

// visited has the hash of every world that was reached, and of the one it was
// first reached from.
type visited struct {
	keys, from []uint64
	n          int
}

func newVisited() *visited {
	return &visited{keys: make([]uint64, 1<<14), from: make([]uint64, 1<<14)}
}

func (v *visited) at(h uint64) int {
	mask := uint64(len(v.keys) - 1)
	i := h & mask
	for v.keys[i] != 0 && v.keys[i] != h {
		i = (i + 1) & mask
	}
	return int(i)
}

// add returns false where h was there already.
func (v *visited) add(h, from uint64) bool {
	if v.n*10 > len(v.keys)*7 {
		old := *v
		v.keys, v.from = make([]uint64, 2*len(old.keys)), make([]uint64, 2*len(old.keys))
		for i, k := range old.keys {
			if k != 0 {
				j := v.at(k)
				v.keys[j], v.from[j] = k, old.from[i]
			}
		}
	}
	i := v.at(h)
	if v.keys[i] != 0 {
		return false
	}
	v.keys[i], v.from[i] = h, from
	v.n++
	return true
}

// way returns the hashes from the first world to h.
func (v *visited) way(h uint64) []uint64 {
	var back []uint64
	for ; h != 0; h = v.from[v.at(h)] {
		back = append(back, h)
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

// result is what a search of one scenario found.
type result struct {
	sc       *scenario
	states   int
	depth    int
	complete bool
	count    counts
	why      string // "": nothing wrong
	trace    []string
	took     time.Duration
}

// search visits every world that the scenario can reach, nearest first, at
// most limit of them, until one is wrong.
func search(sc *scenario, limit int) (res result) {
	began := time.Now()
	r := newRunner(sc)
	first := sc.begin()
	r.count = counts{}
	seen := newVisited()
	h := r.hash(first)
	seen.add(h, 0)
	type place struct {
		w *world
		h uint64
	}
	level := []place{{first, h}}
	res.sc = sc
	bad := uint64(0)
	fail := func(h uint64, why string) {
		if bad == 0 {
			bad, res.why = h, why
		}
	}
	for len(level) > 0 && bad == 0 && seen.n < limit {
		var next []place
		if !sc.unshared {
			r.share()
		}
		for i := range level {
			at := level[i]
			level[i].w = nil
			if why := r.rest(at.w); why != "" {
				fail(at.h, why)
			}
			for _, st := range r.next(at.w) {
				w := r.apply(at.w, st)
				h := r.hash(w)
				if !seen.add(h, at.h) {
					continue
				}
				if w.why != "" {
					fail(h, w.why)
				}
				next = append(next, place{w, h})
			}
			if bad != 0 || seen.n >= limit {
				break
			}
		}
		res.depth++
		level = next
	}
	res.states, res.count = seen.n, r.count
	res.complete = bad == 0 && len(level) == 0
	if bad != 0 {
		res.trace = retrace(sc, first, seen.way(bad))
	}
	res.took = time.Since(began)
	return res
}

// retrace names the steps of a way.
func retrace(sc *scenario, w *world, way []uint64) (names []string) {
	r := newRunner(sc)
	for _, h := range way[1:] {
		found := false
		for _, st := range r.next(w) {
			if nw := r.apply(w, st); r.hash(nw) == h {
				names = append(names, r.name(w, st))
				w, found = nw, true
				break
			}
		}
		if !found {
			return append(names, "?")
		}
	}
	return names
}

// replay follows a trace as far as it goes, and tells what was wrong in the
// end, if anything.
func replay(sc *scenario, trace []string) (steps int, why string) {
	w := sc.begin()
	r := newRunner(sc)
	for i, want := range trace {
		found := false
		for _, st := range r.next(w) {
			if r.name(w, st) == want {
				w, found = r.apply(w, st), true
				break
			}
		}
		switch {
		case !found:
			return i, ""
		case w.why != "":
			return i + 1, w.why
		}
	}
	return len(trace), r.rest(w)
}

// rest judges a world in which nothing is on its way any longer and no table
// is to come.
func (r *runner) rest(w *world) string {
	if len(w.packets) > 0 || w.lostOne && r.mayResend(w) {
		return ""
	}
	var owner *node
	for x, n := range w.nodes {
		if !n.alive {
			continue
		}
		if w.maySwitch(r.sc, uint8(x)) || int(r.sc.leaver) == x+1 && w.mayLeave(r.sc, uint8(x)) || n.copied == 1 || n.slot.Waits() {
			return ""
		}
		if int(n.at)+1 < len(r.sc.seq[x]) {
			return "" // until the crash
		}
		if n.slot.Owner() == member(uint8(x)) {
			owner = n
		}
	}
	if owner == nil {
		return ""
	}
	if !owner.slot.active || len(owner.slot.parked) > 0 || owner.slot.sync != nil {
		return stuck
	}
	busy := false
	for x, n := range w.nodes {
		if !n.alive {
			continue
		}
		if n != owner && n.slot.Holds() && !n.slot.backup {
			return r.leftOver(w, uint8(x))
		}
		if n != owner && n.slot.backup && n.slot.term != owner.slot.term {
			return unbacked
		}
		if n.get.open {
			busy = true
			if t := w.nodes[n.get.target]; !t.alive || len(t.slot.keys) == 0 {
				return unheard
			}
		}
		busy = busy || n.loads[0].id != 0 || n.loads[1].id != 0 || n.again != 0 || len(n.clears.open) > 0 || len(n.slot.handed) > 0
	}
	for id := range w.ops {
		o := &w.ops[id]
		switch o.state {
		case waiting:
			busy = true
			t := w.nodes[o.target]
			if c := writeCall(uint8(id)); !t.alive || !t.slot.hasCall(c) && !t.clears.hasCall(c) {
				return unheard
			}
		case idle:
			busy = true
		}
	}
	if busy {
		return ""
	}
	return r.atRest(w, owner)
}

// leftOver judges a world at rest in which x still has a copy that it does not
// serve: it has to be rid of it once it asks the owner.
func (r *runner) leftOver(w *world, x uint8) string {
	if !w.nodes[x].slot.leftover() {
		return kept
	}
	w = r.apply(w, step{kind: resend, x: x})
	for range 20 {
		if len(w.packets) == 0 {
			break
		}
		w = r.apply(w, step{kind: deliver, x: w.packets[0].to, p: w.packets[0]})
	}
	if !w.nodes[x].slot.Holds() {
		return ""
	}
	if r.sc.p2 && w.loses() {
		return lost
	}
	return kept
}

func (r *runner) mayResend(w *world) bool {
	for _, st := range r.next(w) {
		if st.kind == resend {
			return true
		}
	}
	return false
}

// atRest judges a world in which nobody waits for anything.
func (r *runner) atRest(w *world, owner *node) string {
	r.count.quiet++
	if _, ok := owner.readable(cache.Owned); ok {
		r.count.quietHas++
	}
	if r.sc.p2 && w.evict == r.sc.evict && w.loses() {
		return lost
	}
	for id, o := range w.ops {
		if !o.partial {
			continue
		}
		for _, n := range w.nodes {
			for kind := range uint8(2) {
				if v, ok := n.readable(kindOf(kind)); ok && w.before[id]>>v&1 == 1 {
					return undeleted
				}
			}
		}
	}
	return ""
}

// loses tells whether a Set was acknowledged and no owner has it, or a later one.
func (w *world) loses() bool {
	for _, n := range w.nodes {
		if v, ok := n.readable(cache.Owned); ok && w.stale>>v&1 == 0 {
			return false
		}
	}
	return slices.ContainsFunc(w.ops[:], func(o op) bool { return o.state == acked })
}

// searchAll searches scenarios, two at a time, and prints a table.
func searchAll(t *testing.T, list []*scenario, limit int) {
	t.Helper()
	results := make([]result, len(list))
	sem := make(chan struct{}, min(2, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for i, sc := range list {
		wg.Add(1)
		sem <- struct{}{}
		go func() { // ends with its scenario
			defer func() { <-sem; wg.Done() }()
			most := limit
			if !*searchFull && *searchMax == 0 && sc.hasBackups() {
				most = limit / 6 // there are many
			}
			results[i] = search(sc, most)
			if *searchFull {
				fmt.Println(results[i].row())
			}
		}()
	}
	wg.Wait()
	var b strings.Builder
	total, complete := 0, 0
	for i := range results {
		res := &results[i]
		total += res.states
		if res.complete {
			complete++
		}
		b.WriteString(res.row() + "\n")
		if res.why != "" {
			t.Errorf("%s: %s\n\t%s", res.sc.name, res.why, strings.Join(res.trace, "\n\t"))
		}
		if c := &res.count; res.complete && (c.quiet == 0 || res.sc.gets > 0 && c.hits == 0) {
			t.Errorf("%s: the search is in vain: %+v", res.sc.name, *c)
		}
	}
	t.Logf("%d scenarios, %d of them to the end, %d states\n%s%s", len(list), complete, total, header, b.String())
}

const header = "scenario                                                      states depth      end    rests   hits    old  takes   time\n"

func (res *result) row() string {
	end := "cut"
	switch {
	case res.why != "":
		end = "WRONG"
	case res.complete:
		end = "complete"
	}
	c := &res.count
	return fmt.Sprintf("%-58s %9d %5d %8s %8d %6d %6d %6d %5.1fs", res.sc.name, res.states, res.depth, end, c.quiet, c.hits, c.old, c.takes, res.took.Seconds())
}

// That worlds share what is equal saves memory and changes nothing.
func TestSharingChangesNothing(t *testing.T) {
	for _, name := range []string{"eviction, A->C->B", "join, set, backup", "leave + crash of the new owner", "two clears stable"} {
		var res [2]result
		for i := range res {
			sc := scenarioNamed(t, name, rules{})
			sc.unshared = i == 1
			res[i] = search(sc, shortLimit)
		}
		a, b := &res[0], &res[1]
		if a.states != b.states || a.depth != b.depth || a.count != b.count || a.why != b.why {
			t.Errorf("%s: shared:\n%s\nand not:\n%s", name, a.row(), b.row())
		}
	}
}

func TestSearch(t *testing.T) {
	limit := shortLimit
	if *searchFull {
		limit = 1 << 40
	}
	if *searchMax > 0 {
		limit = *searchMax
	}
	only, err := regexp.Compile(*searchOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []*scenario
	for _, sc := range scenarios(rules{}) {
		if only.MatchString(sc.name) {
			list = append(list, sc)
		}
	}
	searchAll(t, list, limit)
}

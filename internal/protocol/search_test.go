package protocol

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The search drives this package's own code through every order of events that
// a small case allows, nearest first, so that what it finds is the shortest way
// to something wrong.
//
//	scenario_test.go   what a case is, and how it begins
//	scenarios_test.go  the cases; backups_test.go, splits_test.go: more of them
//	world_test.go      a state: nodes, what is on its way, what callers know
//	step_test.go       what may happen next
//	apply_test.go      and what follows
//	client_test.go     the callers, as the node around the protocol serves them
//	split_test.go      two sides, and the fence
//	oracle_test.go     what a read must not return
//	memory_test.go     store, generations and clock, for one key
//	clone_test.go      a step changes a copy
//	encode_test.go     which states are the same
//	memo_test.go       what a step does at a node is worked out once
//	reduce_test.go     what need not be looked at, since other ways show as much
//	rest_test.go       what has to be when nothing is left to happen
//	live_test.go       every state comes to that
//	rules_test.go      no rule is there for nothing
//
// A short search visits the first states of each case. A full one goes on to the
// end of each, or to a number of states; see docs/protocol.md for how far that is.
//
//	go test ./internal/protocol -run 'TestSearch$' -search.full -search.max 4000000 -v -timeout 12h
//
// Besides P1 and P2 it is wrong when nothing is left to happen and the owner
// does not serve, a call has no answer, or a copy is kept that nobody needs; and
// when a state does not come to that.
//
// Time is in the hands of the search: everything happens at one moment, and a
// deadline passes, or a lease ends, whenever it may. The holder's lease ends
// before the owner's record of it.
var (
	searchFull    = flag.Bool("search.full", false, "search every scenario to its end, or to -search.max")
	searchMax     = flag.Int("search.max", 0, "most states of a scenario; 0: no limit in a full search, few in a short one")
	searchPlain   = flag.Bool("search.plain", false, "leave nothing out (reduce_test.go)")
	searchWorkers = flag.Int("search.workers", 2, "goroutines of a search")
	searchOnly    = flag.String("search.only", "", "only scenarios whose name matches this regular expression")
)

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

// searching is one scenario's search, by one or more workers.
type searching struct {
	sc    *scenario
	store *store
	seen  *visited
	live  *visited // worlds that are known to come to rest
	limit int

	next atomic.Int64 // chunk of the depth
	over atomic.Bool  // the limit is reached, or something is wrong
	mu   sync.Mutex
	bad  uint64 // the world that is wrong
	why  string
}

// worker is one of them. It ends with its depth; what it knows stays.
type worker struct {
	s     *searching
	r     *runner
	ahead level
	at    world
	to    world
	rest  following
}

// search visits every world that the scenario can reach, nearest first, at
// most limit of them, until one is wrong.
func search(sc *scenario, limit, workers int) (res result) {
	began := time.Now()
	s := &searching{sc: sc, store: newStore(), seen: newVisited(), live: newVisited(), limit: limit}
	list := make([]*worker, workers)
	for i := range list {
		list[i] = &worker{s: s, r: newRunnerIn(sc, s.store)}
		list[i].rest.known = s.live
	}
	first := list[0].r.begin()
	list[0].r.count = counts{}
	h := list[0].r.hash(first)
	s.seen.add(h, 0)
	var now level
	now.put(first, h)
	res.sc = sc
	for len(now.chunks) > 0 && !s.over.Load() {
		s.depth(list, &now)
		res.depth++
	}
	for _, w := range list {
		res.count.add(&w.r.count)
	}
	res.states, res.why = s.seen.len(), s.why
	res.complete = !s.over.Load()
	if s.bad != 0 {
		res.trace = retrace(sc, s.seen.way(s.bad), strings.HasSuffix(s.why, onTheWay))
	}
	res.took = time.Since(began)
	return res
}

// depth visits the worlds of a depth, and puts those of the next in their place.
func (s *searching) depth(list []*worker, now *level) {
	s.next.Store(0)
	by := s.store.numbered()
	var wg sync.WaitGroup
	for _, w := range list[:min(len(list), len(now.chunks))] {
		wg.Go(func() { w.visit(now, by) }) // ends with the depth
	}
	wg.Wait()
	now.chunks = nil
	for _, w := range list {
		now.chunks = append(now.chunks, w.ahead.chunks...)
		w.ahead.chunks = nil
	}
}

// visit visits worlds of a depth until none is left.
func (w *worker) visit(now *level, by numbered) {
	for !w.s.over.Load() {
		i := int(w.s.next.Add(1)) - 1
		if i >= len(now.chunks) {
			return
		}
		c := now.chunks[i]
		now.chunks[i] = nil
		for j := range c.places {
			p := &c.places[j]
			c.get(&w.at, p, by)
			if !w.from(&w.at, p.h) {
				return
			}
		}
		if w.s.seen.len() >= w.s.limit {
			w.s.over.Store(true)
		}
	}
}

// from goes one step in every direction. It returns false if something is wrong.
func (w *worker) from(at *world, h uint64) bool {
	r := w.r
	if why := r.rest(at); why != "" {
		w.s.wrong(h, why)
		return false
	}
	if !r.sc.still {
		if why := r.settles(&w.rest, at, h); why != "" {
			w.s.wrong(h, why+onTheWay)
			return false
		}
	}
	for _, st := range r.next(at) {
		r.applyTo(&w.to, at, st)
		nh := r.hash(&w.to)
		if !w.s.seen.add(nh, h) {
			continue
		}
		if w.to.why != "" {
			w.s.wrong(nh, w.to.why)
			return false
		}
		w.ahead.put(&w.to, nh)
	}
	return true
}

// wrong notes what is wrong first.
func (s *searching) wrong(h uint64, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == 0 {
		s.bad, s.why = h, why
	}
	s.over.Store(true)
}

// onTheWay is what the reason ends with where something is wrong only later.
const onTheWay = " (on the way to rest)"

// retrace names the steps of a way, and of that to its rest.
func retrace(sc *scenario, way []uint64, rest bool) (names []string) {
	r := newRunner(sc)
	w := r.begin()
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
	f := &following{}
	for range mostSteps {
		st, ok := r.lead(w, f)
		if !rest || !ok || w.why != "" {
			break
		}
		names = append(names, "then "+r.name(w, st))
		w = r.apply(w, st)
	}
	return names
}

// replay follows a trace as far as it goes, and tells what was wrong in the
// end, if anything.
func replay(sc *scenario, trace []string) (steps int, why string) {
	r := newRunner(sc)
	w := r.begin()
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

// searchAll searches scenarios, and prints a table.
func searchAll(t *testing.T, list []*scenario, limit int) {
	t.Helper()
	results := make([]result, len(list))
	for i, sc := range list {
		results[i] = search(sc, limit, *searchWorkers)
		if *searchFull {
			fmt.Println(results[i].row())
		}
	}
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
	t.Logf("%d scenarios, %d of them to the end, %d states\n%s%s\n%s", len(list), complete, total, header, b.String(), byGroup(results))
}

// byGroup sums results up, as docs/protocol.md has them.
func byGroup(results []result) string {
	var b strings.Builder
	b.WriteString("| cases | scenarios | to the end | states | depth | time |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, g := range groups {
		n, complete, states, depth, took := 0, 0, 0, 0, time.Duration(0)
		for i := range results {
			res := &results[i]
			if res.sc.group != g.name {
				continue
			}
			n++
			if res.complete {
				complete++
			}
			states += res.states
			depth = max(depth, res.depth)
			took += res.took
		}
		if n > 0 {
			fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.0f s |\n", g.name, n, complete, states, depth, took.Seconds())
		}
	}
	return b.String()
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
			sc.plain = *searchPlain
			list = append(list, sc)
		}
	}
	searchAll(t, list, limit)
}

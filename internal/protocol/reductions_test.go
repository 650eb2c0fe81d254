package protocol

import (
	"slices"
	"testing"
)

// What comes at once could not do more later: whatever else happens is possible
// after it as well, and leads to a world that covers the other.
func TestWhatComesAtOnceCovers(t *testing.T) {
	most := min(300, shortLimit/4)
	if *searchFull {
		most = 20_000
	}
	found := map[packetKind]int{}
	for _, sc := range scenarios(rules{}) {
		sc.slow = true
		r := newRunner(sc)
		first := r.begin()
		seen := map[uint64]bool{r.hash(first): true}
		for list := []*world{first}; len(list) > 0 && len(seen) < most; list = list[1:] {
			w := list[0]
			steps := slices.Clone(r.next(w))
			for _, p := range w.packets {
				if w.switching == 0 && r.hastens(w, p) {
					found[p.kind]++
					checkAtOnce(t, r, w, p, steps)
				}
			}
			if t.Failed() {
				return
			}
			for _, st := range steps {
				if nw := r.apply(w, st); !seen[r.hash(nw)] {
					seen[r.hash(nw)] = true
					list = append(list, nw)
				}
			}
		}
	}
	if found[aMessage] == 0 || found[anAnswer] == 0 {
		t.Errorf("came at once: %v", found)
	}
}

func checkAtOnce(t *testing.T, r *runner, w *world, p *packet, steps []step) {
	t.Helper()
	come := step{kind: deliver, x: p.to, y: p.from, p: p}
	before := r.apply(w, come)
	can := slices.Clone(r.next(before))
	for _, st := range steps {
		if st == come || st.kind == deadline {
			continue // a deadline is over only for what is not answered
		}
		if st.p == p { // it comes twice
			before.dup--
			if other := r.apply(r.apply(w, st), come); !before.covers(other) {
				t.Errorf("%s: it is more if %s comes twice", r.sc.name, r.name(w, come))
			}
			before.dup++
			continue
		}
		if !slices.Contains(can, st) {
			t.Errorf("%s: after %s there is no %s", r.sc.name, r.name(w, come), r.name(w, st))
			continue
		}
		one, other := r.apply(before, st), r.apply(w, st)
		if slices.Contains(other.packets, p) {
			other = r.apply(other, come)
		}
		if !one.covers(other) {
			t.Errorf("%s: it is less if %s comes before %s\n%+v\n%+v", r.sc.name, r.name(w, come), r.name(w, st), one.core, other.core)
		}
	}
}

// With and without what the search leaves out, nothing is wrong where nothing is,
// and the same without each of some rules.
func TestReductionsChangeNothing(t *testing.T) {
	if raced {
		t.Skip("one goroutine at a time, and slow")
	}
	most, rule := 4_000, []string{"digest", "idle", "stop", "revAll", "revoke", "epoch", "confirm", "abort", "loadVer", "stranger", "keepOld", "drain", "loadDrop"}
	if *searchFull {
		most = 40_000
		rule = nil
		for _, n := range needed {
			rule = append(rule, n.rule)
		}
	}
	compared := 0
	for _, sc := range scenarios(rules{}) {
		less := search(sc, most, 1)
		if !less.complete && less.why == "" {
			continue
		}
		plain := scenarioNamed(t, sc.name, rules{})
		plain.plain = true
		all := search(plain, 20*most, 1)
		if !all.complete && all.why == "" {
			continue
		}
		compared++
		if less.why != all.why {
			t.Errorf("%s: %q, and with nothing left out %q", sc.name, less.why, all.why)
		}
		if less.count.quietHas == 0 && all.count.quietHas > 0 {
			t.Errorf("%s: no world at rest has a value, with nothing left out %d have", sc.name, all.count.quietHas)
		}
	}
	if compared < 20 {
		t.Errorf("only %d scenarios were compared", compared)
	}
	for _, n := range needed {
		if !slices.Contains(rule, n.rule) {
			continue
		}
		for _, plain := range []bool{false, true} {
			sc := scenarioNamed(t, n.scenario, allBut(n.rule))
			sc.plain = plain
			if res := search(sc, 20_000_000, 1); res.why == "" {
				t.Errorf("without the rule %s nothing is wrong in %q (all: %v)", n.rule, n.scenario, plain)
			}
		}
	}
}

// covers tells whether whatever is wrong in o, or after it, is wrong in w as well.
func (w *world) covers(o *world) bool {
	has := func(a, b uint8) bool { return b&^a == 0 }
	if w.nodes != o.nodes || !slices.Equal(w.packets, o.packets) {
		return false
	}
	c, d := w.core, o.core
	for k := range c.know {
		a, b := &c.know[k], &d.know[k]
		if !has(a.stale, b.stale) || !has(a.seen, b.seen) {
			return false
		}
		for i := range a.before {
			if !has(a.before[i], b.before[i]) {
				return false
			}
		}
	}
	for i := range c.sides {
		a, b := &c.sides[i].get, &d.sides[i].get
		for k := range a.stale {
			if !has(a.stale[k], b.stale[k]) || !has(a.older[k], b.older[k]) {
				return false
			}
		}
		a.stale, a.older, b.stale, b.older = [2]uint8{}, [2]uint8{}, [2]uint8{}, [2]uint8{}
	}
	c.know, d.know = oracles{}, oracles{}
	return c == d
}

package protocol

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	searchRecord = flag.Bool("search.record", false, "search what goes wrong without each rule, and write it to "+recordings)
	searchRule   = flag.String("search.rule", "", "search only rules whose name matches this regular expression, and keep what is recorded of the others")
)

// recordings has, for each rule, the shortest way to something wrong without
// it.
const recordings = "testdata/rules.txt"

// needed names for each rule the scenario that shows what it is for.
var needed = []struct{ rule, scenario string }{
	{"digest", "two joins, different order"},
	{"takeAll", "A->B->C"},
	{"leaseMem", "join of a bystander, A leaving"},
	{"idle", "stable"},
	{"stop", "join, set"},
	{"revAll", "join, set"},
	{"revoke", "stable"},
	{"epoch", "stable"},
	{"clearAck", "join of a bystander, clear"},
	{"confirm", "clear stable"},
	{"genGrant", "join, set+clear, backup"},
	{"abort", "join, set"},
	{"clock", "copied ahead, expiry, A->B->C"},
	{"spent", "join + crash of the new owner"},
	{"loadVer", "load + delete, stable"},
	{"loadTerm", "load, A->C->A, evict"},
	{"once", "retried set, delete, stable"},
	{"stranger", "two alone meet, B owns"},
	{"replFirst", "crash of the owner, backup"},
	{"strict", "crash of the owner, C takes, backup"},
	{"term", "the backup goes and comes, a message twice, crash"},
	{"backupFence", "join + crash of the new owner, no backup after it"},
	{"syncFirst", "leave + crash of the new owner, backup"},
	{"pause", "backup moves B->C, crash of A and C"},
	{"release", "backup moves B->C, crash of A and C"},
	{"keepOld", "backup moves B->C, crash of the owner, B takes"},
	{"drain", "join, one set, backup"},
	{"descent", "backup moves B->C, another key evicted, crash of the owner"},
	{"witness", "join + crash of the new owner, backup"},
	{"loadDrop", "eviction and load, crash, backup"},
	{"twice", "expiry, a message twice, crash, backup"},
	{"resync", "backup moves B->C, a message twice, crash, C takes"},
	{"given", "eviction, A->C, set+clear, backup"},
	{"pieceFloor", "split A from B and C, del, evict, backup"},
	{"mergeFloor", "split A from B and C, del, evict, backup"},
}

// recording is one of the ways.
type recording struct {
	rule, scenario, why string
	trace               []string
}

// allBut returns the switches that leave out one rule.
func allBut(rule string) rules {
	var off rules
	f := reflect.ValueOf(&off).Elem().FieldByName(rule)
	*(*bool)(f.Addr().UnsafePointer()) = true
	return off
}

func scenarioNamed(t *testing.T, name string, off rules) *scenario {
	t.Helper()
	for _, sc := range scenarios(off) {
		if sc.name == name {
			return sc
		}
	}
	t.Fatalf("no scenario is called %q", name)
	return nil
}

// TestRulesNeeded shows that no rule is there for nothing: without it, a search
// finds something wrong. The short test follows the ways that were recorded,
// without the rule and with it. A full one searches them anew.
func TestRulesNeeded(t *testing.T) {
	var list []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[rules]()) {
		list = append(list, f.Name)
		if !slices.ContainsFunc(needed, func(n struct{ rule, scenario string }) bool { return n.rule == f.Name }) {
			t.Errorf("no scenario shows what the rule %s is for", f.Name)
		}
	}
	recorded := readRecordings(t)
	if *searchFull || *searchRecord {
		recorded = searchWithout(t, recorded)
	}
	if *searchRecord && !t.Failed() {
		writeRecordings(t, recorded)
	}
	var b strings.Builder
	for _, rule := range list {
		i := slices.IndexFunc(recorded, func(r recording) bool { return r.rule == rule })
		if i < 0 {
			t.Errorf("nothing wrong is known without the rule %s", rule)
			continue
		}
		r := recorded[i]
		steps, why := replay(scenarioNamed(t, r.scenario, allBut(rule)), r.trace)
		if why != r.why {
			t.Errorf("without the rule %s the recorded way ends after %d of %d steps with %q, not with %q", rule, steps, len(r.trace), why, r.why)
		}
		with, why := replay(scenarioNamed(t, r.scenario, rules{}), r.trace)
		if why != "" {
			t.Errorf("with the rule %s the recorded way goes wrong too: %s", rule, why)
		}
		fmt.Fprintf(&b, "%-11s %-58s %5d %9d  %s\n", rule, r.scenario, steps, with, r.why)
	}
	t.Logf("%d rules. Without each, as searched or recorded:\nrule        scenario                                                   steps  with rule  what goes wrong\n%s", len(list), b.String())
}

// searchWithout searches for what goes wrong without each rule.
func searchWithout(t *testing.T, recorded []recording) []recording {
	t.Helper()
	only, err := regexp.Compile(*searchRule)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]recording, len(needed))
	var wg sync.WaitGroup
	sem := make(chan struct{}, 2)
	for i, n := range needed {
		if !only.MatchString(n.rule) {
			for _, r := range recorded {
				if r.rule == n.rule {
					found[i] = r
				}
			}
			continue
		}
		sc := scenarioNamed(t, n.scenario, allBut(n.rule))
		sc.still = true // its way is to be recorded
		wg.Add(1)
		sem <- struct{}{}
		go func() { // ends with its search
			defer func() { <-sem; wg.Done() }()
			res := search(sc, 20_000_000, 1)
			if res.why == "" {
				t.Errorf("without the rule %s nothing is wrong in %d states of %q", n.rule, res.states, n.scenario)
				return
			}
			found[i] = recording{n.rule, n.scenario, res.why, res.trace}
		}()
	}
	wg.Wait()
	return found
}

func readRecordings(t *testing.T) (list []recording) {
	t.Helper()
	b, err := os.ReadFile(recordings)
	if err != nil {
		if *searchRecord {
			return nil
		}
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		key, rest, _ := strings.Cut(line, " ")
		last := len(list) - 1
		switch key {
		case "rule":
			list = append(list, recording{rule: rest})
		case "in":
			list[last].scenario = rest
		case "wrong":
			list[last].why = rest
		case "":
			if rest = strings.TrimSpace(rest); rest != "" {
				list[last].trace = append(list[last].trace, rest)
			}
		}
	}
	return list
}

func writeRecordings(t *testing.T, list []recording) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# What goes wrong without each rule: written by go test -run TestRulesNeeded -search.record\n")
	for _, r := range list {
		fmt.Fprintf(&b, "\nrule %s\nin %s\nwrong %s\n", r.rule, r.scenario, r.why)
		for _, s := range r.trace {
			b.WriteString("  " + s + "\n")
		}
	}
	if err := os.WriteFile(recordings, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

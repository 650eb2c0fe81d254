package protocol

// groups are what the scenarios are about.
var groups = []struct {
	name  string
	cases func() []scenario
}{
	{"nobody comes or goes", stableCases},
	{"joins", joinCases},
	{"leaves, owners that change", moveCases},
	{"loads", loadCases},
	{"crashes and restarts", crashCases},
	{"evictions", evictCases},
	{"copying ahead", copyCases},
	{"messages lost or twice, deadlines, full queues", troubleCases},
	{"nodes that began alone", soloCases},
	{"backups", backupCases},
	{"backups and crashes", backupCrashCases},
	{"splits, false suspicion", splitCases},
	{"the fence", fenceCases},
	{"begun later", pacedCases},
}

// scenarios lists the small cases that are searched. Those of the first search,
// over a model of the rules, have the name that they have there.
func scenarios(off rules) []*scenario {
	var list []*scenario
	for _, g := range groups {
		for _, sc := range g.cases() {
			sc.group, sc.off = g.name, off
			sc.prepare()
			list = append(list, &sc)
		}
	}
	return list
}

// pacedCases are some of the others, where takes and syncs begin later.
func pacedCases() []scenario {
	var list []scenario
	for _, part := range [][]scenario{joinCases(), moveCases(), backupCases(), backupCrashCases()} {
		for _, sc := range part {
			switch sc.name {
			case "join, set", "leave", "A->C->A, same table again", "join, one set, backup", "leave, backup", "leave of a backup",
				"backup moves B->C", "backup moves B->C->B, same table again", "load + delete, join, backup", "join, set, a message lost, backup",
				"join, set, deadlines, backup", "backup moves B->C, crash of the owner, B takes", "join + crash of the new owner, backup":
				sc.name += ", paced"
				sc.paced = true
				list = append(list, sc)
			}
		}
	}
	return list
}

func all(seq ...int) [4][]int { return [4][]int{seq, seq, seq} }

// join is the order of tables where C comes with the second.
func join() [4][]int { return [4][]int{{0, 1}, {0, 1}, {1}} }

// Tables with all three.
var (
	ownA = tab{members: inABC, owner: 0}
	ownB = tab{members: inABC, owner: 1}
	ownC = tab{members: inABC, owner: 2}
	// Before C comes, and after A has gone.
	abA = tab{members: inAB, owner: 0}
	abB = tab{members: inAB, owner: 1}
	bcB = tab{members: inBC, owner: 1}
	bcC = tab{members: inBC, owner: 2}
)

func stableCases() []scenario {
	return []scenario{
		{name: "stable", tabs: []tab{ownA}, seq: all(0), kinds: "ssd", pre: true, nearPre: inC, who: inBC, gets: 2},
		{name: "clear stable", tabs: []tab{ownA}, seq: all(0), kinds: "scs", pre: true, nearPre: inC, who: inBC, gets: 2},
		{name: "clear stable, swept", tabs: []tab{ownA}, seq: all(0), kinds: "sc", pre: true, nearPre: inC, who: inBC, gets: 2, sweeps: true},
		{name: "two clears stable", tabs: []tab{ownA}, seq: all(0), kinds: "scc", pre: true, nearPre: inC, who: inBC, gets: 1},
		{name: "retried set, delete, stable", tabs: []tab{ownA}, seq: all(0), kinds: "sd", who: inBC, gets: 1, retry: 1},
		{name: "the table changes, the owner stays", tabs: []tab{ownA, ownA}, seq: all(0, 1), kinds: "sd", pre: true, nearPre: inC, who: inBC, gets: 2},
	}
}

func joinCases() []scenario {
	tabs := []tab{abA, ownC}
	return []scenario{
		{name: "join, set", tabs: tabs, seq: join(), kinds: "ss", pre: true, nearPre: inB, who: inABC, gets: 2, joiner: inC, p2: true},
		{name: "join, set+del", tabs: tabs, seq: join(), kinds: "ssd", pre: true, nearPre: inB, who: inAC, gets: 1, joiner: inC},
		{name: "join, clear", tabs: tabs, seq: join(), kinds: "sc", pre: true, nearPre: inB, who: inABC, gets: 2, joiner: inC},
		{name: "join, set+clear", tabs: tabs, seq: join(), kinds: "scs", pre: true, who: inBC, gets: 1, joiner: inC},
		{name: "join, two clears", tabs: tabs, seq: join(), kinds: "scc", pre: true, who: inABC, gets: 1, joiner: inC},
		{name: "retried set, delete, join", tabs: tabs, seq: join(), kinds: "sd", who: inB, gets: 1, retry: 1, joiner: inC},
		{name: "join of a bystander, clear", tabs: []tab{abA, ownA}, seq: join(), kinds: "sc", pre: true, who: inAB, gets: 2, joiner: inC},
		{name: "join of a bystander, set+del", tabs: []tab{abA, ownA}, seq: join(), kinds: "sd", pre: true, who: inAB, gets: 2, joiner: inC},
		{
			name: "join of a bystander, A leaving", tabs: []tab{abA, {members: inAB, owner: 1, leaving: inA}, ownA, {members: inABC, owner: 1, leaving: inA}},
			seq: [4][]int{{0, 1, 3}, {0, 1, 3}, {2, 3}}, kinds: "ss", pre: true, who: inB, getWho: inC, gets: 1, joiner: inC, p2: true,
		},
		{
			name: "two joins, different order",
			tabs: []tab{{members: inA, owner: 0}, abB, {members: inAC, owner: 2}, ownC},
			seq:  [4][]int{{0, 1, 3}, {1, 3}, {2, 3}}, kinds: "ss", pre: true, who: inABC, gets: 1, joiner: inBC, p2: true,
		},
		{
			name: "the joiner is known before", tabs: []tab{abA, {members: inAB, joining: inC, digest: 1}, ownC},
			seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {0, 2}}, kinds: "sc", pre: true, nearPre: inB, who: inABC, gets: 1, joiner: inC,
		},
	}
}

func moveCases() []scenario {
	leaves := []tab{ownA, {members: inABC, owner: 1, leaving: inA}, bcB}
	leavesToC := []tab{ownA, {members: inABC, owner: 2, leaving: inA}, bcC}
	seq := [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}
	need := [4][]need{nil, {nothing, hasLeft}, {nothing, hasLeft}}
	return []scenario{
		{name: "leave", tabs: leaves, seq: seq, need: need, kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 2, leaver: 1, p2: true},
		{name: "leave, set+del", tabs: leavesToC, seq: seq, need: need, kinds: "ssd", pre: true, nearPre: inC, who: inBC, gets: 1, leaver: 1},
		{name: "leave, clear", tabs: leaves, seq: seq, need: need, kinds: "sc", pre: true, nearPre: inC, who: inBC, gets: 1, leaver: 1},
		{name: "A->B->C", tabs: []tab{ownA, ownB, ownC}, seq: all(0, 1, 2), kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 1, p2: true},
		{name: "A->C->A", tabs: []tab{ownA, ownC, ownA}, seq: all(0, 1, 2), kinds: "ss", pre: true, nearPre: inB, who: inBC, gets: 1, p2: true},
		{name: "A->C->A, same table again", tabs: []tab{ownA, ownC}, seq: all(0, 1, 0), kinds: "ss", pre: true, nearPre: inB, who: inBC, gets: 1, p2: true},
		{name: "A->C->A, clear", tabs: []tab{{members: inAC, owner: 0}, {members: inAC, owner: 2}, {members: inAC, owner: 0}}, seq: [4][]int{{0, 1, 2}, nil, {0, 1, 2}}, kinds: "scs", pre: true, nearPre: inC, who: inAC, gets: 1},
		{name: "A->C->A->C, same tables again", tabs: []tab{{members: inAC, owner: 0}, {members: inAC, owner: 2}}, seq: [4][]int{{0, 1, 0, 1}, nil, {0, 1, 0, 1}}, kinds: "ss", pre: true, who: inA, gets: 1, p2: true},
	}
}

func loadCases() []scenario {
	return []scenario{
		{name: "load + delete, stable", tabs: []tab{ownA}, seq: all(0), kinds: "ld", who: inABC, gets: 2, load: true},
		{name: "load + set, stable", tabs: []tab{ownA}, seq: all(0), kinds: "lsl", who: inAB, gets: 2, load: true},
		{name: "load + clear, stable", tabs: []tab{ownA}, seq: all(0), kinds: "lc", who: inAB, gets: 2, load: true},
		{name: "load + delete, join", tabs: []tab{abA, ownC}, seq: join(), kinds: "ld", who: inAB, gets: 1, load: true, joiner: inC},
		{name: "load, A->C->A, evict", tabs: []tab{{members: inAC, owner: 0}, {members: inAC, owner: 2}, {members: inAC, owner: 0}}, seq: [4][]int{{0, 1, 2}, nil, {0, 1, 2}}, kinds: "ls", who: inC, getWho: inA, gets: 1, load: true, evict: 1},
		{name: "eviction and load, stable near", tabs: []tab{ownA}, seq: all(0), kinds: "sl", pre: true, nearPre: inC, who: inA, gets: 2, load: true, evict: 1},
		{name: "eviction and load, set", tabs: []tab{ownA}, seq: all(0), kinds: "sls", pre: true, nearPre: inC, who: inB, gets: 2, load: true, evict: 1},
	}
}

func crashCases() []scenario {
	seq := [4][]int{{0}, {0, 1}, {0, 1}}
	need1 := [4][]need{nil, {hasCrashed}, {hasCrashed}}
	return []scenario{
		{name: "crash of the owner", tabs: []tab{ownA, bcB}, seq: seq, need: need1, kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 2, crash: 1, gone: true},
		{name: "crash of the owner, set+del", tabs: []tab{ownA, bcC}, seq: seq, need: need1, kinds: "ssd", pre: true, nearPre: inC, who: inBC, gets: 1, crash: 1},
		{name: "crash of a bystander", tabs: []tab{ownA, {members: inAC, owner: 0}}, seq: [4][]int{{0, 1}, {0}, {0, 1}}, need: [4][]need{{hasCrashed}, nil, {hasCrashed}}, kinds: "sd", pre: true, nearPre: inBC, who: inC, gets: 1, crash: 2, gone: true},
		{name: "join + crash of the old owner", tabs: []tab{abA, ownC, bcC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {1, 2}}, need: [4][]need{nil, {nothing, hasCrashed}, {hasCrashed}}, kinds: "ss", pre: true, nearPre: inB, who: inBC, gets: 1, joiner: inC, crash: 1},
		{name: "join + crash of the new owner", tabs: []tab{abA, ownC, abB}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {1}}, need: [4][]need{{nothing, hasCrashed}, {nothing, hasCrashed}, nil}, kinds: "ss", pre: true, nearPre: inB, who: inAB, gets: 1, joiner: inC, crash: 3},
		{name: "join + crash of the new owner, back to A", tabs: []tab{abA, ownC, abA}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {1}}, need: [4][]need{{nothing, hasCrashed}, {nothing, hasCrashed}, nil}, kinds: "ss", pre: true, who: inB, gets: 1, joiner: inC, crash: 3},
		{name: "restart under the same name", tabs: []tab{ownA, {members: inBC | inD, owner: 3}}, seq: [4][]int{{0}, {0, 1}, {0, 1}, {1}}, need: [4][]need{nil, {hasRestarted}, {hasRestarted}}, kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 1, crash: 1, restart: 4},
		{name: "restart, B serves meanwhile", tabs: []tab{ownA, bcB, {members: inBC | inD, owner: 3}}, seq: [4][]int{{0}, {0, 1, 2}, {0, 1, 2}, {2}}, need: [4][]need{nil, {hasCrashed, hasRestarted}, {hasCrashed, hasRestarted}}, kinds: "s", nearPre: 0, who: inB, gets: 1, crash: 1, restart: 4},
		{name: "leave + crash of the new owner", tabs: []tab{ownA, {members: inABC, owner: 1, leaving: inA}, bcB, {members: inC, owner: 2}}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2, 3}}, need: [4][]need{nil, {nothing, hasLeft}, {nothing, hasLeft, hasCrashed}}, kinds: "ss", pre: true, who: inBC, gets: 1, leaver: 1, crash: 2},
	}
}

func evictCases() []scenario {
	return []scenario{
		{name: "eviction, A->C->B", tabs: []tab{ownA, ownC, ownB}, seq: all(0, 1, 2), kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, evict: 2},
		{name: "eviction of a tombstone, A->C->B", tabs: []tab{ownA, ownC, ownB}, seq: all(0, 1, 2), kinds: "sd", pre: true, who: inA, gets: 1, getWho: inB, evict: 2},
		{name: "owner stays, then B takes; evict", tabs: []tab{ownA, ownA, ownB}, seq: all(0, 1, 2), kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, evict: 2},
		{name: "eviction and load, crash", tabs: []tab{ownA, bcB}, seq: [4][]int{{0}, {0, 1}, {0, 1}}, need: [4][]need{nil, {hasCrashed}, {hasCrashed}}, kinds: "sl", pre: true, nearPre: inC, who: inA, gets: 2, load: true, evict: 1, crash: 1},
	}
}

// copyCases copy the slot ahead.
func copyCases() []scenario {
	known := tab{members: inAB, owner: 0, joining: inC}
	seq := [4][]int{{0, 1}, {0, 1}, {0, 1}}
	return []scenario{
		{name: "join, copied ahead, set", tabs: []tab{known, ownC}, seq: seq, kinds: "ss", pre: true, nearPre: inB, who: inB, gets: 1, joiner: inC, stage: inC, large: true, p2: true},
		{name: "join, copied ahead, set+del", tabs: []tab{known, ownC}, seq: seq, kinds: "ssd", pre: true, who: inA, gets: 1, joiner: inC, stage: inC, large: true},
		{name: "join, copied ahead, clear", tabs: []tab{abA, ownC}, seq: seq, kinds: "scs", pre: true, who: inA, gets: 1, joiner: inC, stage: inC, large: true},
		{name: "join, copied ahead, evict", tabs: []tab{known, ownC}, seq: seq, kinds: "ss", pre: true, who: inA, gets: 1, joiner: inC, stage: inC, large: true, evict: 1},
		{name: "join, copied ahead, a message lost", tabs: []tab{known, ownC}, seq: seq, kinds: "ss", pre: true, who: inA, gets: 1, joiner: inC, stage: inC, large: true, lose: 1, p2: true},
		{name: "join, copied ahead, clear, swept", tabs: []tab{abA, ownC}, seq: seq, kinds: "scs", pre: true, who: inA, gets: 1, joiner: inC, stage: inC, large: true, sweeps: true},
		{name: "leave, copied ahead", tabs: []tab{ownA, {members: inABC, owner: 1, leaving: inA}, bcB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: [4][]need{nil, {nothing, hasLeft}, {nothing, hasLeft}}, kinds: "ss", pre: true, who: inC, gets: 1, leaver: 1, stage: inB, large: true, p2: true},
		{name: "copied ahead, expiry, A->B->C", tabs: []tab{{members: inAB, owner: 0, joining: inC}, abB, ownC}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {0, 2}}, kinds: "ss", pre: true, who: inB, gets: 1, joiner: inC, stage: inC, none: true, expire: 1},
		{name: "grants without contents, A->B->C", tabs: []tab{ownA, ownB, ownC}, seq: all(0, 1, 2), kinds: "ss", pre: true, who: inB, gets: 1, large: true, p2: true},
	}
}

// troubleCases lose and double messages, and let deadlines pass.
func troubleCases() []scenario {
	return []scenario{
		{name: "join, set, a message lost", tabs: []tab{abA, ownC}, seq: join(), kinds: "ss", pre: true, nearPre: inB, who: inA, gets: 1, joiner: inC, lose: 1, p2: true},
		{name: "join, set, a message twice", tabs: []tab{abA, ownC}, seq: join(), kinds: "ss", pre: true, nearPre: inB, who: inA, gets: 1, joiner: inC, dup: 1, p2: true},
		{name: "A->C->A, same table, a message twice", tabs: []tab{{members: inAC, owner: 0}, {members: inAC, owner: 2}}, seq: [4][]int{{0, 1, 0}, nil, {0, 1, 0}}, kinds: "ss", pre: true, who: inA, gets: 1, dup: 1, p2: true},
		{name: "clear, a message lost", tabs: []tab{ownA}, seq: all(0), kinds: "sc", pre: true, nearPre: inC, who: inB, gets: 2, lose: 1},
		{name: "clear, a message twice", tabs: []tab{ownA}, seq: all(0), kinds: "scc", pre: true, who: inBC, gets: 1, dup: 1},
		{name: "set+del, a message lost", tabs: []tab{ownA}, seq: all(0), kinds: "sd", pre: true, nearPre: inC, who: inB, gets: 2, lose: 1},
		{name: "set+del, a message twice", tabs: []tab{ownA}, seq: all(0), kinds: "ssd", pre: true, nearPre: inC, who: inB, gets: 1, dup: 1},
		{name: "set+del, deadlines", tabs: []tab{ownA}, seq: all(0), kinds: "ssd", pre: true, nearPre: inC, who: inB, gets: 1, deadlines: 2},
		{name: "join, set+del, deadlines", tabs: []tab{abA, ownC}, seq: join(), kinds: "sd", pre: true, nearPre: inB, who: inB, gets: 1, joiner: inC, deadlines: 2},
		{name: "clear, deadline", tabs: []tab{ownA}, seq: all(0), kinds: "scs", pre: true, nearPre: inC, who: inB, gets: 1, deadlines: 1},
		{name: "room for one", tabs: []tab{abA, ownC}, seq: join(), kinds: "sss", pre: true, nearPre: inB, who: inAB, gets: 1, joiner: inC, max: 1, p2: true},
	}
}

// soloCases begin with members that served without each other.
func soloCases() []scenario {
	aloneA, aloneB := tab{members: inA, owner: 0}, tab{members: inB, owner: 1}
	return []scenario{
		{name: "two alone meet, A owns", tabs: []tab{aloneA, aloneB, abA}, seq: [4][]int{{0, 2}, {1, 2}}, kinds: "s", who: inB, gets: 1, strange: inAB, p2: true},
		{name: "two alone meet, B owns", tabs: []tab{aloneA, aloneB, abB}, seq: [4][]int{{0, 2}, {1, 2}}, kinds: "ss", pre: true, who: inA, gets: 1, strange: inAB, p2: true},
		{name: "two alone meet, C joins", tabs: []tab{aloneA, aloneB, abA, ownA}, seq: [4][]int{{0, 2, 3}, {1, 2, 3}, {3}}, kinds: "s", who: inB, gets: 0, joiner: inC, strange: inAB, p2: true},
		{name: "two alone meet, then C owns", tabs: []tab{aloneA, aloneB, abA, ownC}, seq: [4][]int{{0, 2, 3}, {1, 2, 3}, {3}}, kinds: "s", who: inB, gets: 0, joiner: inC, strange: inAB, p2: true},
		{name: "two alone meet, nothing fits, C joins", tabs: []tab{aloneA, aloneB, abA, ownA}, seq: [4][]int{{0, 2, 3}, {1, 2, 3}, {3}}, kinds: "s", who: inB, gets: 1, joiner: inC, strange: inAB, large: true, p2: true},
		{name: "two alone meet, nothing fits, C owns", tabs: []tab{aloneA, aloneB, abA, ownC}, seq: [4][]int{{0, 2, 3}, {1, 2, 3}, {3}}, kinds: "s", who: inB, gets: 1, joiner: inC, strange: inAB, large: true, p2: true},
	}
}

package protocol

// Tables with one backup: in the name, the owner and then its backups.
var (
	ownAB = tab{members: inABC, owner: 0, backups: inB}
	ownAC = tab{members: inABC, owner: 0, backups: inC}
	ownBC = tab{members: inABC, owner: 1, backups: inC}
	ownCA = tab{members: inABC, owner: 2, backups: inA}
	ownCB = tab{members: inABC, owner: 2, backups: inB}
	abAB  = tab{members: inAB, owner: 0, backups: inB}
	abBA  = tab{members: inAB, owner: 1, backups: inA}
	bcBC  = tab{members: inBC, owner: 1, backups: inC}
	bcCB  = tab{members: inBC, owner: 2, backups: inB}
	acAC  = tab{members: inAC, owner: 0, backups: inC}
	onlyB = tab{members: inB, owner: 1}
	onlyC = tab{members: inC, owner: 2}
	// A joiner that A and B know of.
	knownAB = tab{members: inAB, owner: 0, backups: inB, joining: inC}
	// And with two.
	ownABC = tab{members: inABC, owner: 0, backups: inBC}
)

// backupCases are those with one backup in which nobody crashes.
func backupCases() []scenario {
	joins := []tab{abAB, ownCA}
	leaves := []tab{ownAB, {members: inABC, owner: 1, backups: inC, leaving: inA}, bcBC}
	leavesToC := []tab{ownAB, {members: inABC, owner: 2, backups: inB, leaving: inA}, bcCB}
	leaveSeq := [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}
	leaveNeed := [4][]need{nil, {nothing, hasLeft}, {nothing, hasLeft}}
	return []scenario{
		{name: "stable, backup", tabs: []tab{ownAB}, seq: all(0), kinds: "ssd", pre: true, nearPre: inC, who: inBC, gets: 2, p2: false},
		{name: "clear stable, backup", tabs: []tab{ownAB}, seq: all(0), kinds: "scs", pre: true, nearPre: inC, who: inBC, gets: 2},
		{name: "join, set, backup", tabs: joins, seq: join(), kinds: "ss", pre: true, nearPre: inB, who: inABC, gets: 2, joiner: inC, p2: true},
		{name: "join, set+del, backup", tabs: joins, seq: join(), kinds: "ssd", pre: true, nearPre: inB, who: inAC, gets: 1, joiner: inC},
		{name: "join, clear, backup", tabs: joins, seq: join(), kinds: "sc", pre: true, nearPre: inB, who: inABC, gets: 2, joiner: inC},
		{name: "join, set+clear, backup", tabs: joins, seq: join(), kinds: "scs", pre: true, who: inBC, gets: 1, joiner: inC},
		{name: "join of a bystander, clear, backup", tabs: []tab{abAB, ownAB}, seq: join(), kinds: "sc", pre: true, who: inAB, gets: 2, joiner: inC},
		{name: "join of a bystander, set+del, backup", tabs: []tab{abAB, ownAB}, seq: join(), kinds: "sd", pre: true, who: inAB, gets: 2, joiner: inC},
		{name: "leave, backup", tabs: leaves, seq: leaveSeq, need: leaveNeed, kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 2, leaver: 1, p2: true},
		{name: "leave, set+del, backup", tabs: leavesToC, seq: leaveSeq, need: leaveNeed, kinds: "ssd", pre: true, nearPre: inC, who: inBC, gets: 1, leaver: 1},
		{name: "leave of a backup", tabs: []tab{ownAB, {members: inABC, owner: 0, backups: inC, leaving: inB}, acAC}, seq: [4][]int{{0, 1, 2}, {0, 1}, {0, 1, 2}}, need: [4][]need{{nothing, hasLeft}, nil, {nothing, hasLeft}}, kinds: "ss", pre: true, who: inAC, gets: 1, leaver: 2, p2: true},
		{name: "A->B->C, backup", tabs: []tab{ownAB, ownBC, ownCA}, seq: all(0, 1, 2), kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 1, p2: true},
		{name: "A->C->A, backup", tabs: []tab{ownAB, ownCA, ownAB}, seq: all(0, 1, 2), kinds: "ss", pre: true, nearPre: inB, who: inBC, gets: 1, p2: true},
		{name: "A->C->A, same table again, backup", tabs: []tab{ownAB, ownCA}, seq: all(0, 1, 0), kinds: "ss", pre: true, nearPre: inB, who: inBC, gets: 1, p2: true},
		{
			name: "two joins, different order, backup",
			tabs: []tab{{members: inA, owner: 0}, abBA, {members: inAC, owner: 2, backups: inA}, ownCB},
			seq:  [4][]int{{0, 1, 3}, {1, 3}, {2, 3}}, kinds: "ss", pre: true, who: inABC, gets: 1, joiner: inBC, p2: true,
		},
		{name: "load + delete, stable, backup", tabs: []tab{ownAB}, seq: all(0), kinds: "ld", who: inABC, gets: 2, load: true},
		{name: "load + delete, join, backup", tabs: joins, seq: join(), kinds: "ld", who: inAB, gets: 1, load: true, joiner: inC},
		{name: "retried set, delete, join, backup", tabs: joins, seq: join(), kinds: "sd", who: inB, gets: 1, retry: 1, joiner: inC},
		{name: "eviction, A->C->B, backup", tabs: []tab{ownAB, ownCA, ownBC}, seq: all(0, 1, 2), kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, evict: 2},
		{name: "eviction, A->C->B, contents fetched, backup", tabs: []tab{ownAB, ownCA, ownBC}, seq: all(0, 1, 2), kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, evict: 2, large: true},
		{name: "eviction, A->C, set+clear, contents fetched, backup", tabs: []tab{ownAB, ownCA}, seq: all(0, 1), kinds: "ssc", pre: true, who: inA, getWho: inABC, evict: 1, large: true},
		{name: "eviction, A->C, set+clear, backup", tabs: []tab{ownAB, ownCA}, seq: all(0, 1), kinds: "ssc", pre: true, who: inA, getWho: inABC, evict: 1},
		{name: "eviction, A->C, sets, two backups", tabs: []tab{ownAB, {members: inABC, owner: 2, backups: inAB}}, seq: all(0, 1), kinds: "sss", pre: true, who: inAC, getWho: inABC, evict: 1},
		{name: "eviction of a tombstone, A->C->B, backup", tabs: []tab{ownAB, ownCA, ownBC}, seq: all(0, 1, 2), kinds: "sd", pre: true, who: inA, gets: 1, getWho: inB, evict: 2},
		{name: "backup moves B->C, then B takes, evict", tabs: []tab{ownAB, ownAC, ownBC}, seq: all(0, 1, 2), kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, evict: 2},
		{name: "join, copied ahead, set, backup", tabs: []tab{{members: inAB, owner: 0, backups: inB, joining: inC}, ownCA}, seq: [4][]int{{0, 1}, {0, 1}, {0, 1}}, kinds: "ss", pre: true, who: inB, gets: 1, joiner: inC, stage: inC, large: true, p2: true},
		{name: "join, copied ahead by a backup, set", tabs: []tab{{members: inAB, owner: 0, backups: inB, joining: inC}, ownAC}, seq: [4][]int{{0, 1}, {0, 1}, {0, 1}}, kinds: "ss", pre: true, who: inB, gets: 1, joiner: inC, stage: inC, large: true, p2: true},
		{name: "join, copied ahead by a backup, set+del, evict", tabs: []tab{knownAB, ownAC}, seq: [4][]int{{0, 1}, {0, 1}, {0, 1}}, kinds: "sd", pre: true, who: inB, gets: 1, joiner: inC, stage: inC, large: true, evict: 1},
		{name: "join, copied ahead by a backup, a message lost", tabs: []tab{knownAB, ownAC}, seq: [4][]int{{0, 1}, {0, 1}, {0, 1}}, kinds: "ss", pre: true, who: inB, joiner: inC, stage: inC, lose: 1, p2: true},
		{name: "join, copied ahead by a backup, clear", tabs: []tab{knownAB, ownAC}, seq: [4][]int{{0, 1}, {0, 1}, {0, 1}}, kinds: "sc", pre: true, who: inB, gets: 1, joiner: inC, stage: inC, large: true, sweeps: true},
		{name: "leave, copied ahead by the new backup", tabs: leaves, seq: leaveSeq, need: leaveNeed, kinds: "ss", pre: true, who: inB, gets: 1, leaver: 1, stage: inC, p2: true},
		{name: "leave, copied ahead by the new backup, set+del", tabs: leaves, seq: leaveSeq, need: leaveNeed, kinds: "sd", pre: true, who: inC, gets: 1, leaver: 1, stage: inC, large: true, evict: 1},
		{name: "two alone meet, A owns, backup", tabs: []tab{{members: inA, owner: 0}, {members: inB, owner: 1}, abAB}, seq: [4][]int{{0, 2}, {1, 2}}, kinds: "s", who: inB, gets: 1, strange: inAB, p2: true},
		{name: "two alone meet, B owns, backup", tabs: []tab{{members: inA, owner: 0}, {members: inB, owner: 1}, abBA}, seq: [4][]int{{0, 2}, {1, 2}}, kinds: "ss", pre: true, who: inA, gets: 1, strange: inAB, p2: true},
		{name: "two alone meet, then C owns, backup", tabs: []tab{{members: inA, owner: 0}, {members: inB, owner: 1}, abAB, ownCB}, seq: [4][]int{{0, 2, 3}, {1, 2, 3}, {3}}, kinds: "s", who: inB, gets: 0, joiner: inC, strange: inAB, p2: true},
		{name: "room for one, backup", tabs: joins, seq: join(), kinds: "sss", pre: true, who: inAB, gets: 1, joiner: inC, max: 1, p2: true},
		{name: "join, one set, backup", tabs: joins, seq: join(), kinds: "ss", pre: true, who: inA, joiner: inC, p2: true},
		{name: "backup moves B->C", tabs: []tab{ownAB, ownAC}, seq: all(0, 1), kinds: "ssd", pre: true, nearPre: inC, who: inAB, gets: 1},
		{name: "backup moves B->C->B, same table again", tabs: []tab{ownAB, ownAC}, seq: all(0, 1, 0), kinds: "ss", pre: true, who: inA, gets: 1, p2: true},
		{name: "backup slow, deadlines", tabs: []tab{ownAB}, seq: all(0), kinds: "ssd", pre: true, who: inC, gets: 1, deadlines: 2},
		{name: "join, set, deadlines, backup", tabs: joins, seq: join(), kinds: "ss", pre: true, who: inAB, gets: 1, joiner: inC, deadlines: 1, p2: true},
		{name: "join, set, a message lost, backup", tabs: joins, seq: join(), kinds: "ss", pre: true, who: inA, gets: 1, joiner: inC, lose: 1, p2: true},
		{name: "join, set, a message twice, backup", tabs: joins, seq: join(), kinds: "ss", pre: true, who: inA, gets: 1, joiner: inC, dup: 1, p2: true},
	}
}

// backupCrashCases are those with backups in which members crash.
func backupCrashCases() []scenario {
	seq := [4][]int{{0}, {0, 1}, {0, 1}}
	need1 := [4][]need{nil, {hasCrashed}, {hasCrashed}}
	joinOld := [4][]need{nil, {nothing, hasCrashed}, {hasCrashed}}
	joinNew := [4][]need{{nothing, hasCrashed}, {nothing, hasCrashed}, nil}
	moved := [4][]need{{nothing}, {nothing, hasCrashed}, {nothing, hasCrashed}}
	return []scenario{
		{name: "crash of the owner, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 2, crash: 1, gone: true, p2: true},
		{name: "crash of the owner, set+del, backup", tabs: []tab{ownAB, bcCB}, seq: seq, need: need1, kinds: "ssd", pre: true, nearPre: inC, who: inBC, gets: 1, crash: 1},
		{name: "crash of the owner, C takes, backup", tabs: []tab{ownAB, bcCB}, seq: seq, need: need1, kinds: "ss", pre: true, who: inBC, gets: 1, crash: 1, p2: true},
		{name: "crash of the backup", tabs: []tab{ownAB, acAC}, seq: [4][]int{{0, 1}, {0}, {0, 1}}, need: [4][]need{{hasCrashed}, nil, {hasCrashed}}, kinds: "ss", pre: true, nearPre: inC, who: inAC, gets: 1, crash: 2, p2: true},
		{name: "crash of the owner, a message lost, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "ss", pre: true, who: inB, gets: 1, crash: 1, lose: 1, p2: true},
		{name: "join, deadlines, crash of the old owner, backup", tabs: []tab{abAB, ownCA, bcCB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {1, 2}}, need: joinOld, kinds: "ss", pre: true, who: inB, gets: 1, joiner: inC, crash: 1, deadlines: 1, p2: true},
		{name: "join, load, evict, crash of the old owner, backup", tabs: []tab{abAB, ownCA, bcCB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {1, 2}}, need: joinOld, kinds: "sl", pre: true, who: inB, getWho: inB | inC, gets: 2, load: true, evict: 1, joiner: inC, crash: 1},
		{name: "backup slow, crash of the owner", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "ss", pre: true, who: inC, gets: 1, crash: 1, deadlines: 1, p2: true},
		{name: "join + crash of the old owner, backup", tabs: []tab{abAB, ownCA, bcCB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {1, 2}}, need: joinOld, kinds: "ss", pre: true, nearPre: inB, who: inBC, gets: 1, joiner: inC, crash: 1, p2: true},
		{name: "join + crash of the new owner, backup", tabs: []tab{abAB, ownCA, abBA}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {1}}, need: joinNew, kinds: "ss", pre: true, nearPre: inB, who: inAB, gets: 1, joiner: inC, crash: 3, p2: true},
		{name: "restart under the same name, backup", tabs: []tab{ownAB, {members: inBC | inD, owner: 3, backups: inB}}, seq: [4][]int{{0}, {0, 1}, {0, 1}, {1}}, need: [4][]need{nil, {hasRestarted}, {hasRestarted}}, kinds: "ss", pre: true, nearPre: inC, who: inBC, gets: 1, crash: 1, restart: 4, p2: true},
		{name: "leave + crash of the new owner, backup", tabs: []tab{ownAB, {members: inABC, owner: 1, backups: inC, leaving: inA}, bcBC, onlyC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2, 3}}, need: [4][]need{nil, {nothing, hasLeft}, {nothing, hasLeft, hasCrashed}}, kinds: "ss", pre: true, who: inBC, gets: 1, leaver: 1, crash: 2, p2: true},
		{name: "leave + crash of the new owner, A still there", tabs: []tab{ownAB, {members: inABC, owner: 2, backups: inB, leaving: inA}, {members: inAB, owner: 1, leaving: inA}}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {0, 1}}, need: joinNew, kinds: "ss", pre: true, who: inAB, gets: 1, crash: 3, p2: true},
		{name: "backup moves B->C, crash of the owner, B takes, evict", tabs: []tab{ownAB, ownAC, bcBC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, evict: 2, crash: 1},
		{name: "backup moves B->C, crash of the owner, B takes", tabs: []tab{ownAB, ownAC, bcBC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inAB, gets: 1, crash: 1, p2: true},
		{name: "backup moves B->C, crash of A and C", tabs: []tab{ownAB, ownAC, onlyB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1}}, need: [4][]need{nil, {nothing, bothCrashed}, nil}, kinds: "ss", pre: true, who: inA, getWho: inB, gets: 1, crash: 1, crash2: 3},
		{name: "A->C, crash of C and its backup", tabs: []tab{ownAB, ownCB, {members: inA, owner: 0}}, seq: [4][]int{{0, 1, 2}, {0, 1}, {0, 1}}, need: [4][]need{{nothing, bothCrashed}, nil, nil}, kinds: "ss", pre: true, who: inB, getWho: inA, gets: 1, crash: 2, crash2: 3},
		{name: "eviction and load, crash, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "sl", pre: true, nearPre: inC, who: inA, gets: 2, load: true, evict: 1, crash: 1},
		{name: "load, crash of the owner, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "ls", who: inB, gets: 2, load: true, crash: 1},
		{name: "clear, crash of the owner, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "scs", pre: true, who: inBC, gets: 1, crash: 1},
		{name: "expiry, crash of the owner, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "ss", pre: true, who: inB, getWho: inB, gets: 1, none: true, expire: 2, crash: 1},
		{name: "expiry, a message twice, crash, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "ss", who: inA, getWho: inB, gets: 1, none: true, expire: 2, dup: 1, crash: 1},
		{name: "eviction, a message twice, crash, backup", tabs: []tab{ownAB, bcBC}, seq: seq, need: need1, kinds: "sd", who: inA, getWho: inB, gets: 1, evict: 1, dup: 1, crash: 1},
		{name: "backup moves B->C, a message twice", tabs: []tab{ownAB, ownAC}, seq: all(0, 1), kinds: "ss", pre: true, who: inA, gets: 1, dup: 1, p2: true},
		{name: "backup moves B->C->B, a message twice, crash of A", tabs: []tab{ownAB, ownAC, bcBC}, seq: [4][]int{{0, 1, 0}, {0, 1, 0, 2}, {0, 1, 0, 2}}, need: [4][]need{nil, {nothing, nothing, hasCrashed}, {nothing, nothing, hasCrashed}}, kinds: "ss", pre: true, who: inA, gets: 1, getWho: inB, dup: 1, crash: 1, p2: true},
		{name: "backup moves, nothing fits, crash of the owner", tabs: []tab{ownAB, ownAC, bcBC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inA, gets: 1, crash: 1, large: true, p2: true},
		{name: "backup moves B->C, a message lost, crash of the owner", tabs: []tab{ownAB, ownAC, bcBC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inA, gets: 1, crash: 1, lose: 1, p2: true},
		{name: "backup moves B->C, another key evicted, crash of the owner", tabs: []tab{ownAB, ownAC, bcBC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inA, gets: 0, floors: 2, crash: 1, p2: true},
		{name: "join, another key evicted, crash of the new owner", tabs: []tab{abAB, ownCA, abBA}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {1}}, need: joinNew, kinds: "ss", pre: true, who: inB, gets: 0, joiner: inC, floors: 2, crash: 3, p2: true},
		{name: "join + crash of the new owner, no backup after it", tabs: []tab{abAB, ownCA, abB}, seq: [4][]int{{0, 1, 2}, {0, 1, 2}, {1}}, need: joinNew, kinds: "ss", pre: true, who: inB, gets: 1, joiner: inC, crash: 3, p2: true},
		{name: "join, copied ahead by a backup, crash of the owner", tabs: []tab{knownAB, ownAC, bcCB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inAB, gets: 1, joiner: inC, stage: inC, crash: 1, p2: true},
		{name: "join, copied ahead by the owner, crash of the old one", tabs: []tab{knownAB, ownCA, bcCB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inAB, gets: 1, joiner: inC, stage: inC, large: true, crash: 1, p2: true},
		{name: "leave, copied ahead, crash of the new owner", tabs: []tab{ownAB, {members: inABC, owner: 1, backups: inC, leaving: inA}, bcBC, onlyC}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2, 3}}, need: [4][]need{nil, {nothing, hasLeft}, {nothing, hasLeft, hasCrashed}}, kinds: "ss", pre: true, who: inC, gets: 1, leaver: 1, stage: inC, crash: 2, p2: true},
		{name: "the backup goes and comes, a message twice, crash", tabs: []tab{abAB, abA, abAB, onlyB}, seq: [4][]int{{0, 1, 2}, {0, 1, 2, 3}}, need: [4][]need{nil, {nothing, nothing, hasCrashed}}, kinds: "sd", who: inA, getWho: inB, evict: 1, dup: 1, crash: 1},
		{name: "backup moves B->C, a message twice, crash, C takes", tabs: []tab{ownAB, ownAC, bcCB}, seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: moved, kinds: "ss", pre: true, who: inA, gets: 0, dup: 1, crash: 1, p2: true},
		{name: "two backups, stable", tabs: []tab{ownABC}, seq: all(0), kinds: "ss", pre: true, who: inB, gets: 1, p2: true},
		{name: "two backups, crash of A, then B", tabs: []tab{ownABC, bcBC, onlyC}, seq: [4][]int{{0}, {0, 1}, {0, 1, 2}}, need: [4][]need{nil, {hasCrashed}, {hasCrashed, hasCrashed2}}, kinds: "ss", pre: true, who: inBC, gets: 1, crash: 1, crash2: 2, p2: true},
		{name: "two backups, crash of A and B", tabs: []tab{ownABC, onlyC}, seq: [4][]int{{0}, {0}, {0, 1}}, need: [4][]need{nil, nil, {bothCrashed}}, kinds: "ss", pre: true, who: inBC, gets: 1, crash: 1, crash2: 2, p2: true},
		{
			name: "two backups, crash of A, then of the taker", tabs: []tab{{members: inABC | inD, owner: 0, backups: inBC}, {members: inBC | inD, owner: 3, backups: inBC}, bcCB},
			seq: [4][]int{{0}, {0, 1, 2}, {0, 1, 2}, {0, 1}}, need: [4][]need{nil, {hasCrashed, bothCrashed}, {hasCrashed, bothCrashed}, {hasCrashed}},
			kinds: "ss", pre: true, who: inB, gets: 0, crash: 1, crash2: 4, p2: true,
		},
		{
			name: "two backups, D joins, crash of A and D", tabs: []tab{ownABC, {members: inABC | inD, owner: 3, backups: inAB}, bcCB},
			seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}, {1}}, need: [4][]need{nil, {nothing, bothCrashed}, {nothing, bothCrashed}, nil},
			kinds: "ss", pre: true, who: inB, gets: 0, joiner: inD, crash: 1, crash2: 4, p2: true,
		},
		{
			name: "two backups, one moves, crash of A and B", tabs: []tab{{members: inABC | inD, owner: 0, backups: inBC}, {members: inABC | inD, owner: 0, backups: inC | inD}, {members: inC | inD, owner: 2, backups: inD}},
			seq: [4][]int{{0, 1}, {0, 1}, {0, 1, 2}, {0, 1, 2}}, need: [4][]need{nil, nil, {nothing, bothCrashed}, {nothing, bothCrashed}},
			kinds: "ss", pre: true, who: inA, gets: 0, crash: 1, crash2: 2, p2: true,
		},
		{
			name: "two backups, C owns, another key evicted, crash of A", tabs: []tab{ownABC, {members: inABC, owner: 2, backups: inAB}, bcCB},
			seq: [4][]int{{0, 1}, {0, 1, 2}, {0, 1, 2}}, need: [4][]need{nil, {nothing, hasCrashed}, {nothing, hasCrashed}},
			kinds: "ss", pre: true, who: inB, gets: 0, floors: 2, crash: 1, p2: true,
		},
		{name: "two backups, crash of B, then A", tabs: []tab{ownABC, acAC, onlyC}, seq: [4][]int{{0, 1}, {0}, {0, 1, 2}}, need: [4][]need{{hasCrashed2}, nil, {hasCrashed2, hasCrashed}}, kinds: "ss", pre: true, who: inAC, gets: 1, crash: 1, crash2: 2, p2: true},
	}
}

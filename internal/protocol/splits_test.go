package protocol

// splitCases have two sides that go on without each other, and come together.
func splitCases() []scenario {
	aloneA, aloneB := tab{members: inA, owner: 0}, tab{members: inB, owner: 1}
	// Begun alone.
	solo := func(name, kinds string, last tab, evict uint8) scenario {
		return scenario{name: name, tabs: []tab{aloneA, aloneB, last}, seq: [4][]int{{0, 2}, {1, 2}}, kinds: kinds, pre: true, who: inAB, gets: 1, strange: inAB, split: inB, evict: evict}
	}
	// Cut apart, A from B: both have the slot if there are backups.
	pair := func(name, kinds string, first, last tab, f func(*scenario)) scenario {
		sc := scenario{
			name: name, tabs: []tab{first, aloneA, aloneB, last}, seq: [4][]int{{0, 1, 3}, {0, 2, 3}}, need: [4][]need{{hasCut, hasHealed}, {hasCut, hasHealed}},
			kinds: kinds, pre: true, who: inAB, gets: 1, strange: inAB, split: inB, cuts: true,
		}
		if f != nil {
			f(&sc)
		}
		return sc
	}
	evict := func(n uint8) func(*scenario) { return func(sc *scenario) { sc.evict = n } }
	floors := func(sc *scenario) { sc.floors = 1 }
	large := func(sc *scenario) { sc.large = true }
	kept := func(sc *scenario) { sc.p2 = true }
	// A from B and C, and A alone from two that have their own backup.
	three := func(name, kinds string, first, side, last tab, f func(*scenario)) scenario {
		sc := scenario{
			name: name, tabs: []tab{first, aloneA, side, last}, seq: [4][]int{{0, 1, 3}, {0, 2, 3}, {0, 2, 3}},
			need:  [4][]need{{hasCut, hasHealed}, {hasCut, hasHealed}, {hasCut, hasHealed}},
			kinds: kinds, pre: true, who: inAB, gets: 1, getWho: inC, strange: inABC, split: inBC, cuts: true,
		}
		if f != nil {
			f(&sc)
		}
		return sc
	}
	// B and C take A for dead; it lives, and hears of it later.
	suspected := func(name, kinds string, first, side, last tab) scenario {
		return scenario{
			name: name, tabs: []tab{first, side, last}, seq: [4][]int{{0, 2}, {0, 1, 2}, {0, 1, 2}}, need: [4][]need{{wasOut}},
			kinds: kinds, pre: true, who: inAB, gets: 1, getWho: inC, strange: inABC, split: inBC,
		}
	}
	unasked := func(sc scenario) scenario {
		sc.name += ", no gets"
		sc.gets = 0
		return sc
	}
	forgotten := func(sc scenario) scenario {
		sc.name += ", forgotten"
		sc.forgets = true
		return sc
	}
	return []scenario{
		solo("two alone, sets on both", "sss", abA, 0),
		solo("two alone, set+del", "ssd", abA, 0),
		solo("two alone, set+clear", "ssc", abB, 0),
		solo("two alone, set+del, evict", "ssd", abB, 1),
		solo("two alone, sets on both, backup", "sss", abBA, 0),
		solo("two alone, set+del, evict, backup", "ssd", abAB, 1),
		pair("split of two, sets on both", "sss", abA, abB, kept),
		pair("split of two, set+del", "ssd", abA, abA, nil),
		pair("split of two, set+clear", "ssc", abA, abB, nil),
		pair("split of two, del, evict", "sd", abA, abB, evict(2)),
		pair("split of two, sets on both, backup", "sss", abAB, abAB, kept),
		pair("split of two, set+del, backup", "ssd", abAB, abBA, nil),
		pair("split of two, set+clear, backup", "ssc", abAB, abAB, nil),
		pair("split of two, set+del, evict, backup", "ssd", abAB, abBA, evict(1)),
		pair("split of two, del, evict twice, backup", "sd", abAB, abAB, evict(2)),
		pair("split of two, set+del, another key evicted, backup", "ssd", abAB, abAB, floors),
		pair("split of two, set+del, nothing fits, backup", "ssd", abAB, abBA, large),
		pair("split of two, two dels, backup", "sdd", abAB, abAB, nil),
		pair("split of two, two clears, backup", "scc", abAB, abBA, nil),
		three("split A from B and C, set+del, backup", "ssd", ownAB, bcBC, ownAB, nil),
		three("split A from B and C, sets, C owns, backup", "sss", ownAB, bcBC, ownCA, kept),
		three("split A from B and C, set+clear", "ssc", ownA, bcC, ownB, nil),
		three("split A from B and C, del, evict, backup", "sd", ownAB, bcBC, ownCB, evict(2)),
		suspected("A suspected and alive, set", "ss", ownA, bcB, ownA),
		suspected("A suspected and alive, set+del, backup", "ssd", ownAB, bcBC, ownAB),
		suspected("A suspected and alive, set+clear, backup", "ssc", ownAB, bcCB, ownBC),
		unasked(suspected("A suspected and alive, set+clear, backup", "ssc", ownAB, bcCB, ownBC)),
		forgotten(suspected("A suspected and alive, set+clear, backup", "ssc", ownAB, bcCB, ownBC)),
		unasked(forgotten(suspected("A suspected and alive, set+clear, backup", "ssc", ownAB, bcCB, ownBC))),
	}
}

// fenceCases have the fence on: two of three have to answer.
func fenceCases() []scenario {
	alone := tab{members: inA, owner: 0}
	back := func(name, kinds string, tabs []tab, f func(*scenario)) scenario {
		sc := scenario{
			name: name, tabs: tabs, seq: [4][]int{{0, 2}, {0, 1, 2}, {0, 1, 2}}, need: [4][]need{{wasOut}},
			kinds: kinds, pre: true, who: inAB, gets: 1, strange: inABC, split: inBC, fence: 2, ahead: inA,
		}
		if f != nil {
			f(&sc)
		}
		return sc
	}
	cut := func(sc *scenario) {
		sc.cuts = true
		sc.need = [4][]need{{wasOut}, {hasCut, hasHealed}, {hasCut, hasHealed}}
	}
	// A notices that it is alone.
	notices := func(sc *scenario) {
		sc.cuts = true
		sc.seq[0] = []int{0, 3, 2}
		sc.need = [4][]need{{hasCut, wasOut}, {hasCut, hasHealed}, {hasCut, hasHealed}}
	}
	tellsB := func(f func(*scenario)) func(*scenario) {
		return func(sc *scenario) {
			if sc.tellsB = true; f != nil {
				f(sc)
			}
		}
	}
	near := func(x uint8) func(*scenario) {
		return func(sc *scenario) { sc.nearPre = x }
	}
	return []scenario{
		back("fence, A suspected, set", "ss", []tab{ownA, bcB, ownA}, nil),
		back("fence, A suspected, set, B has heard", "ss", []tab{ownA, bcB, ownA}, tellsB(nil)),
		back("fence, A suspected, A has a near copy", "ss", []tab{ownB, bcB, ownB}, near(inA)),
		back("fence, A suspected, near copies, B takes", "ss", []tab{ownC, {members: inBC, owner: 1}, ownC}, near(inA)),
		back("fence, A suspected, set+del, backup", "sd", []tab{ownAB, bcBC, ownAB}, nil),
		back("fence, A suspected, clear", "sc", []tab{ownA, bcB, ownA}, near(inC)),
		back("fence, A suspected, clear, backup", "sc", []tab{ownAB, bcCB, ownBC}, near(inC)),
		back("fence, A cut off, set", "ss", []tab{ownA, bcB, ownA}, cut),
		back("fence, A cut off, set, B has heard", "ss", []tab{ownA, bcB, ownA}, tellsB(cut)),
		back("fence, A cut off, set, backup", "ss", []tab{ownAB, bcBC, ownAB}, cut),
		back("fence, A cut off, clear, backup", "sc", []tab{ownAB, bcCB, ownCA}, cut),
		back("fence, A cut off and alone, set, backup", "ss", []tab{ownAB, bcBC, ownAB, alone}, notices),
		back("fence, A cut off and alone, clear", "sc", []tab{ownA, bcB, ownC, alone}, notices),
	}
}

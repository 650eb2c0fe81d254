package cluster

// fault is a mistake around the protocol that a test can let a node make, in a
// build with the tag "faults": simulations must find each (TestSimFindsFaults).
// Without the tag there is none, and nothing that could turn one on.
type fault uint8

const (
	keepsRevoked    fault = iota // a revocation is acknowledged, and the near copy kept
	forgetsClear                 // a clear is acknowledged, and not carried out
	dropsWrites                  // a queue of writes drops one silently: it is acknowledged all the same
	wallTimer                    // deadlines and leases are timed by the wall clock
	coarseTimer                  // they are timed by a tick of half a second
	leaseFromAnswer              // a holder counts its lease from the answer, not from the question
	answersClosed                // a node that has left goes on answering from its memory
	servesStaged                 // a copy ahead of the switch is served, and not kept up to date
	sameNumbers                  // the number of a request that was given up is used again at once
	cutsGrant                    // the last entry of a grant gets lost
	repeatsGrant                 // a grant is sent again when the slot is taken again, as it was the first time
	doneEarly                    // a taker says that it serves before it has what others have
	leavesEarly                  // a leaving node does not wait until others serve its slots
	noStrangers                  // members that meet again do not take their slots anew
	sameID                       // a node that is restarted has the incarnation that it had before
	dropsEvents                  // every second event of gossip that a member has failed is lost
	lateEvents                   // events of gossip come late and out of order
	sendsAgain                   // a call is sent again after 100 ms, though it may have been carried out
	deadlineAnew                 // each new attempt of a call has the whole time
	overBudget                   // a node uses twice its budget
	losesReplica                 // a backup acknowledges a write and does not keep it
	wakesBlindly                 // a process that was stopped goes on without asking the members
	ignoresFence                 // a node answers whoever has answered it
	faultCount
)

var faultNames = [faultCount]string{
	keepsRevoked:    "a revocation is acknowledged and not carried out",
	forgetsClear:    "a clear is acknowledged and not carried out",
	dropsWrites:     "a queue drops one write in twenty silently",
	wallTimer:       "deadlines and leases are timed by the wall clock",
	coarseTimer:     "they are timed by a tick of half a second",
	leaseFromAnswer: "a holder counts its lease from the answer",
	answersClosed:   "a node that has left goes on answering",
	servesStaged:    "a copy ahead of the switch is served, and not kept up to date",
	sameNumbers:     "the number of a request that was given up is used again at once",
	cutsGrant:       "the last entry of a grant gets lost",
	repeatsGrant:    "an old grant is sent again for a new take",
	doneEarly:       "a taker says that it serves before it does",
	leavesEarly:     "a leaving node does not wait until others serve its slots",
	noStrangers:     "members that meet again do not take their slots anew",
	sameID:          "a restarted node has its old incarnation",
	dropsEvents:     "every second event that a member has failed is lost",
	lateEvents:      "events of gossip come late and out of order",
	sendsAgain:      "a call is sent again after 100 ms, though it may have been carried out",
	deadlineAnew:    "each new attempt of a call has the whole time",
	overBudget:      "a node uses twice its budget",
	losesReplica:    "a backup acknowledges a write and does not keep it",
	wakesBlindly:    "a process that was stopped goes on serving",
	ignoresFence:    "a node goes on serving below its fence",
}

func (f fault) String() string { return faultNames[f] }

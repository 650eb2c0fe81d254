// Package cluster is a cache that lives inside the replicas of an application.
// Each replica starts a Node; the nodes find each other by gossip, share the
// keys out among them, and keep each other coherent. There is no server beside
// the application.
//
// # The promises
//
// P1, coherent: once Set, Delete or Clear has returned nil on any node, no node
// serves an older value. Per key the cache is linearizable, except that a value
// may be forgotten at any time: a miss is always allowed, a wrong hit never.
// This holds while members join, leave in order, restart and crash. It cannot
// hold for a node that the others take for dead while it lives (a split network),
// unless Config.Fence is set: there near copies end with their lease, and the rest
// is for as long as the split lasts. A process that was stopped and goes on asks
// the others before it answers from its memory.
//
// P2, survives: with Config.Backups B, up to B nodes may be killed at once, and
// again as soon as Stats shows every slot fully backed up; no entry is lost whose
// Set had returned nil, but by eviction and expiry. There must be more than B
// nodes. A node that leaves in order hands its entries over first, so a rolling
// restart loses none.
//
// P3, heals: both sides of a split network go on, and find each other again when
// it heals, as do nodes that started alone. They merge what they have: per key
// the newest version wins, and what was deleted or cleared does not come back.
//
// P4, bounded: every call returns within its context's deadline or
// Config.RequestTimeout, whichever is sooner. Memory stays within the budget.
// Queues are bounded: what does not fit is refused with ErrOverloaded.
//
// P5, closed: a node on anything but loopback refuses to start without a
// secret. With one, everything between nodes is encrypted and authenticated by
// both sides.
//
// # The way of a call
//
// A key's hash (ring.go) names one of 32,768 slots, and the table (view.go),
// made from the list of members (roster.go), names the slot's owner. A Get looks
// into the node's own memory first (read.go): what the node owns while it
// serves the slot, or a near copy whose lease runs. Otherwise it goes to the
// owner (call.go, link.go), who answers it on the connection's reader
// (serve.go, answers.go) and may lend a near copy. A Set or a Delete goes to
// the owner as well, which takes back what it has lent, and brings the new value
// to the slot's backups, before it can be seen (package protocol). A node that is not the owner by its own table
// says "not mine"; the two then tell each other which members they know
// (exchange.go), and the call is made again. Nothing is forwarded, so nothing
// goes in circles.
//
// # The life of a node
//
// A node that starts is joining: it finds somebody (join.go), copies the
// entries of the slots that it is going to own or to back up while their owners
// go on serving (handoff.go), on connections of their own, so that calls do not
// wait behind contents (bulk.go), and resting while calls go on, so that they need
// not wait for processors either (rest.go), and turns active. That changes everybody's table,
// and for each slot that moves the new owner takes it, some slots at a time
// (pace.go): it asks every member, and serves when all have granted and its backups
// have the slot. A node that leaves (leave.go)
// lets all owners copy ahead what others will hold without it, turns leaving, waits until they serve, and says goodbye. Active
// nodes that meet without having known each other compare first whether both
// have served (meet.go), and if so take everything again.
//
// A process that dies is noticed by its connections (gone.go), a silent host by
// gossip, whose word is checked (doubt.go). What may be answered from a node's
// own memory is bounded in time (standing.go): by whether its process was stopped
// (wake.go), and with the fence on by whether enough members answer (fence.go)
// and have heard how far the node's versions may count (announce.go).
//
// # Locks and goroutines
//
// The slots' state machines are in 512 parts with a lock each (part.go). A
// table is changed under the roster's lock, which is taken before a part's. No
// lock is held while something is sent. A node has a goroutine for its timers, one
// that watches for how long it may answer, one for each link to a member and for its
// connection for contents while there is one, those of its gossip, a reader, a writer
// and a listener for each connection, and short ones for loads, copies and exchanges;
// all end with Leave or Close.
package cluster

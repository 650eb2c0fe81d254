// Package protocol is the part of peercache that keeps the nodes coherent: who
// may serve a slot, who holds a copy, and in what order a write becomes
// visible. It is a plain state machine. A call, a message, a table or the time
// goes in; messages, answers and requests to the node around it come out. It
// starts no goroutine, reads no clock, opens no socket and takes no lock: the
// node around it holds one lock for each group of slots while it calls in, and
// the search in this package's tests drives the very same code through every
// interleaving of small cases.
//
// # The story of a slot
//
// A Slot is one node's view of one of the 32,768 slots. A table, made from the
// member list alone, names its owner. The owner serves the slot only while it
// is active, and it becomes active by a take (take.go): it asks every member,
// each answers with a grant once it has the same table and has stopped serving
// and writing, and the newest copies among the grants become the owner's.
// Everybody else then frees what it had. A table concerns thousands of slots at
// once: they are begun some at a time, and first those that a call waits for
// (pace.go).
//
// The table may name backups as well, who keep a copy of the slot. Before the
// owner serves, it brings them to its own copy under a new term (sync.go), and
// again whenever the table gives it others. From then on every write is brought
// to all of them before it is visible (backup.go). So the copy of any of them
// has all that a read ever returned and all that a caller was told is written;
// a take after the owner's death finds it there.
//
// A read at the owner (get.go) may lend the reader the value for a while: a
// lease (lease.go). A write (write.go) first revokes the leases, then takes a
// version, is replicated, then becomes visible, so that readers see the old value everywhere
// or the new one everywhere. A reader's own side is a Fill (fill.go): what it
// fetched is kept only if nothing was revoked and no table changed meanwhile.
// A read-through (load.go) is a write whose value comes from a loader.
//
// A Clear (clear.go) raises its cache's generation on every member; entries of
// an older one are dead wherever they turn up.
//
// Before a switch of tables, the coming owner fetches copies ahead (stage.go),
// so that the grant needs to carry only what changed last.
//
// # Which copies count
//
// A copy of a slot has a term: a count, and who raised it. It is spent when it
// is granted. A taker merges, by version, the copies of all givers that are
// (take.go):
//
//   - unused: each taker to whom the copy was granted is known not to have
//     served since. A taker that is among the givers knows it itself. Of one that
//     is gone, a backup tells it that had to have the slot before that taker
//     served, and never accepted a Sync with a term above the copy's. This needs
//     no count of crashes to be safe: where nobody is left to tell, the copy is
//     dropped. With at most as many gone as there are backups, somebody is.
//   - not superseded: no giver has a copy that was made from it, which is one of
//     the same raiser with a higher term, or one that a taker raised to whom this
//     one had been granted by then.
//
// What is left is of one term, or of lineages that did not know each other;
// between those, what is not above the other's floor is dropped (collect.go).
//
// # What it relies on
//
// Messages may arrive late and in any order. A lost one is asked for again by
// Tick. Times are durations on the node's monotonic clock. The holder of a
// lease counts from before it asked, the owner from when it answered.
package protocol

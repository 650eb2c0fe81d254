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
// Everybody else then frees what it had.
//
// A read at the owner (get.go) may lend the reader the value for a while: a
// lease (lease.go). A write (write.go) first revokes the leases, then takes a
// version, then becomes visible, so that readers see the old value everywhere
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
// # What it relies on
//
// Messages may arrive late and in any order. A lost one is asked for again by
// Tick. Times are durations on the node's monotonic clock. The holder of a
// lease counts from before it asked, the owner from when it answered.
package protocol

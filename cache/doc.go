// Package cache is one node's memory: a sharded LRU with time to live,
// versions, generations and a byte budget. It knows no network.
//
// # The story of an entry
//
// A Store has a power of two of shards (shard.go), each under one mutex. A key
// comes with its 64-bit hash; the hash's lowest 15 bits are its slot, and a slot
// lies wholly in one shard. An entry is a record (record.go). The index
// (index.go) has a cache line of records for each slot and kind, and a small hash
// table beside it for those that do not fit, so that what is done with a slot
// costs what the slot has and no more, and the shard has each kind's records in
// the order in which they are to go (holding.go).
//
// A local hit (get.go) takes no lock: it finds the record in the index, whose
// places are loaded atomically, and a record does not change while it is there.
// Whoever changes something has the shard's lock, and the index says so before
// the lock is released. A miss is looked up once more with the lock.
//
// An entry is live until its time is over, its near copy's lease has ended, or
// its cache has been cleared (generation.go). What is dead is never given out;
// its memory is freed when it is touched, when its slot is asked for, or when
// the sweeper comes by (sweep.go), within 16 seconds. A near copy whose lease alone is
// over stays until then, since it may be lent again (renew.go).
//
// # Versions and floors
//
// Of the entries of one key and kind the newest version stays. A tombstone is
// an entry too. When an owned entry or tombstone is evicted before its time,
// the floor of its slot rises to its version: something at or below the floor
// may have been here and is no longer known. So it does when an owned entry ends
// in time that took the place of one that could have lived longer (Entry.Short).
// What else ends in time, is dropped or cleared leaves the floor as it is (but see
// Remember).
//
// # Room
//
// Each shard has an equal share of the budget. An entry is charged with its
// key, its value, the value once more where a decoded one is kept, and Overhead
// bytes. (A shard keeps the seats of its entries, of 16 bytes each, until it has none
// left, so many small entries that give way to few large ones leave them behind.)
// Where room is needed, near copies go first, then staged ones, then owned ones;
// neither a near nor a staged copy ever makes an owned one go. That near copies go
// first is not measured against anything: they can be had again for one request, and
// what the owner gives up is lost.
//
// Of each kind the order is kept in three queues (order.go), each an LRU (seats.go):
// what came lately goes before what has been asked for since, so that a scan pushes
// out little, and how much room it gets adapts to who comes back after having gone, of
// whom ghosts remember hashes (ghosts.go), in up to 20 bytes an entry that nobody is
// charged with. A hit, which has no lock, only marks its entry; whoever makes room
// promotes the marked ones that he meets, 16 at most, so that an eviction costs no more
// than that. Put and SetDecoded make an entry the last of its queue to go.
//
// The queues were golang-lru's simplelru. What replaced it is no map and has no
// elements of its own: a record knows its seat. That takes 16 to 20 bytes for each
// entry, where golang-lru's element takes 64 and its map 19 to 36, and an overwrite
// finds its seat without a look-up and leaves nothing for the collector.
//
// TestHitRatio compares this with an exact LRU: 0.727 and 0.687 of the draws of a
// Zipf distribution are hits, 0.584 and 0.512 with scans in between, 0.657 and
// 0.653 where it drifts, 0.748 and 0.746 with keys most of which were asked for
// not long ago.
package cache

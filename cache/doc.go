// Package cache is one node's memory: a sharded LRU with time to live,
// versions, generations and a byte budget. It knows no network.
//
// # The story of an entry
//
// A Store has a power of two of shards (shard.go), each under one mutex. A key
// comes with its 64-bit hash; the hash's lowest 14 bits are its slot, and a slot
// lies wholly in one shard. In its shard an entry is a record (record.go) that a
// simplelru.LRU of its kind finds by the hash (holding.go), and that a list of
// its slot and kind goes through (slot.go, link.go), so that what is done with a
// slot costs what the slot has and no more. A local hit is in get.go.
//
// An entry is live until its time is over, its near copy's lease has ended, or
// its cache has been cleared (generation.go). What is dead is never given out;
// its memory is freed when it is touched, when its slot is asked for, or when
// the sweeper comes by (sweep.go), within 16 seconds.
//
// # Versions and floors
//
// Of the entries of one key and kind the newest version stays. A tombstone is
// an entry too. When an owned entry or tombstone is evicted before its time,
// the floor of its slot rises to its version: something at or below the floor
// may have been here and is no longer known. What ends in time, is dropped or
// cleared leaves the floor as it is.
//
// # Room
//
// Each shard has an equal share of the budget. An entry is charged with its
// key, its value, the value once more where a decoded one is kept, and Overhead
// bytes. (A shard's map and links never get smaller while it has an entry, so
// many small entries that give way to few large ones leave up to 52 bytes each
// behind.) Where room is needed, near copies go first, then staged ones, then
// owned ones, of each kind the least recently used; neither a near nor a staged
// copy ever makes an owned one go. That near copies go first is not measured
// against anything: they can be had again for one request, and what the owner
// gives up is lost.
package cache

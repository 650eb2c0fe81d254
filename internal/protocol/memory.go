package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Memory is what a slot needs of the node's store; *cache.Store is one.
type Memory interface {
	Peek(ref cache.Ref, kind cache.Kind) (cache.Entry, bool)
	Put(ref cache.Ref, e cache.Entry) (cache.Result, error)
	Drop(ref cache.Ref, kinds cache.Kinds) bool
	AppendSlot(dst []cache.Item, slot int, kinds cache.Kinds) []cache.Item
	Digest(slot int, kinds cache.Kinds) cache.Digest
	Promote(slot int)
	DropSlot(slot int, kinds cache.Kinds)
	Floor(slot int) uint64
	RaiseFloor(slot int, version uint64)
}

// Generations knows each cache's generation on this node.
type Generations interface {
	// Of returns the generation of a cache.
	Of(number uint32) Generation
	// Merge merges g into it and returns the result. What that makes dead in Memory's
	// owned entries is remembered as tombstones, where it is come upon
	// (cache.Store.RaiseGeneration).
	Merge(number uint32, g Generation) Generation
	// Forget says that all members have that generation, or a higher one, and what is
	// dead by it need not be remembered. It returns false, and has done nothing, where
	// somebody is missed who may not have it.
	Forget(number uint32, g Generation) bool
	// Raise makes a generation that is above g and above the cache's own,
	// raised by this node, and returns it.
	Raise(number uint32, above Generation) Generation
	// Digest stands for what Append lists, the same on every node.
	Digest() uint64
	// Append lists the generation of every cache that was ever cleared.
	Append(dst []CacheGeneration) []CacheGeneration
}

// CacheGeneration names the generation of one cache.
type CacheGeneration struct {
	Cache      uint32
	Generation Generation
}

// Clock is the node's hybrid logical clock: versions never go back, and stay
// near to physical time.
type Clock interface {
	// Next returns a version above every one that it returned or observed, and
	// above floor. With Shared.Fenced it returns false while too few others have heard
	// that versions may come so high; then the call waits. Who takes a member out that
	// has not said goodbye observes what it has heard of that one before. So one of the
	// givers of a take knows of each version that was made without them.
	Next(floor uint64) (uint64, bool)
	// Now returns the newest version returned or observed.
	Now() uint64
	// Observe moves the clock on to a version that another node made.
	Observe(version uint64)
}

// Shared is what all slots of a node have in common. Memory, Generations and
// Clock are safe for concurrent use; the rest does not change once slots use it.
type Shared struct {
	Self        Member
	Memory      Memory
	Generations Generations
	Clock       Clock
	// Serving is told when a slot begins and ends to be served here, before
	// anything else can follow from it.
	Serving func(slot int, active bool)
	// Limits of one slot.
	MaxParked int // calls that wait for the slot to become active
	MaxQueued int // writes that wait for one key
	MaxLeases int // near copies lent at a time
	// Leases bounds the near copies that all slots have lent. Optional.
	Leases *Allowance
	// Writes bounds the bytes of all writes and loads under way, those included
	// whose callers have given up waiting for members that do not confirm.
	// Optional.
	Writes *Allowance
	// GrantBytes is the most content that a grant carries itself; what is
	// larger is fetched in pieces.
	GrantBytes int
	// Tombstone is how long a deletion is remembered.
	Tombstone time.Duration
	// Fenced says that members serve only as long as enough others answer them,
	// near copies included, so that one who is out of the table cannot serve for
	// ever: what it may still serve is waited out (Table.Barred).
	Fenced bool
	// Resend is how long an unanswered message is waited for before it is sent
	// again.
	Resend time.Duration
	// Paced says that what a new table makes necessary for a slot that no call
	// waits for is begun by Slot.Proceed, when the node has time for it.
	Paced bool

	off rules
}

package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Kind says what a Message is.
type Kind uint8

// The messages between the slots (and, for Clear and Cleared, the nodes) of
// two members. All are one-way, and all may be received twice.
const (
	// Take asks for a slot: Nonce, Digest, Clears, and Have, what the taker has
	// staged.
	Take Kind = iota + 1
	// Grant answers it: Nonce, Digest, Term, Spends, Taken, Known, Have, Content
	// (or Large), Floor, Version (the giver's clock), Wait, and Generations where
	// the giver knows others than the taker did.
	Grant
	// Done says that the sender serves the slot under Digest: others free it.
	Done
	// Held asks the owner for a Done: the sender still has an old copy.
	Held
	// Revoke takes back a near copy of Ref for the write numbered Nonce.
	Revoke
	// Revoked answers it.
	Revoked
	// Stage brings a change to a member that copies the slot ahead: one item
	// in Content, or Ref alone for one that is gone.
	Stage
	// Clear raises Ref.Cache's generation to Generation.
	Clear
	// Cleared answers it with the sender's generation and members, and with its
	// table's Digest and Wait where the fence is on.
	Cleared
)

var kindNames = [...]string{"none", "take", "grant", "done", "held", "revoke", "revoked", "stage", "clear", "cleared"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Message is anything that goes from one member's state machine to another's.
// Which fields count depends on Kind.
type Message struct {
	Kind        Kind
	Large       bool // Grant: the content is fetched separately
	Slot        int
	Nonce       uint64
	Digest      uint64
	Term        Term
	Spends      []Spend // to whom the copy was granted before
	Taken       uint64  // nonce of the take by which the sender last became active
	Known       uint64  // highest term count that the sender knows of
	Prior       uint64  // Cleared: the count before this clear came
	Clears      uint64  // Take: Generations.Digest at the taker
	Have        cache.Digest
	Floor       uint64
	Version     uint64
	Ref         cache.Ref
	Generation  Generation
	Generations []CacheGeneration
	Members     []Member
	Content     []Item
	Wait        time.Duration // Grant, Cleared: until the sender's Table.Barred
}

// Spend says that a copy was granted to a member, for its take of that nonce.
type Spend struct {
	To    Member
	Nonce uint64
}

// Item is one entry on its way from one node to another.
type Item struct {
	Ref       cache.Ref
	Value     []byte
	Version   uint64
	Count     uint64        // its generation
	Left      time.Duration // of its time to live; 0: for ever
	Tombstone bool
	Negative  bool
}

// Envelope is a message and whom it is for.
type Envelope struct {
	To      Member
	Message Message
}

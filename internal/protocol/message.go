package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Kind says what a Message is.
type Kind uint8

// The messages between the slots (and, for Clear, Cleared and Forget, the nodes) of
// two members. All are one-way, and all may be received twice.
const (
	// Take asks for a slot: Nonce, Digest, Clears, Taken, and Have, what the taker
	// has staged, or else what its own copy is.
	Take Kind = iota + 1
	// Grant answers it: Nonce, Digest, Term, Made, Spends, Taken, Known, Backed,
	// Have, Content (or Large), Floor, Version (the giver's clock), Wait, and
	// Generations where the giver knows others than the taker did. Without a copy
	// (and so a Term) there is no Floor, and Have is what the giver has staged if it
	// is to be a backup.
	Grant
	// Done says that the sender serves the slot under Digest: others free it.
	Done
	// Held asks the owner for a Done: the sender still has an old copy. If it is
	// Urgent a call waits there until the slot is served.
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
	// Sync brings a backup to the owner's copy: Nonce, Digest, Term, Have, Floor,
	// Version (the owner's clock), Generations, and Content. Without Content the
	// backup has what Have stands for already, or fetches it. To who is not a
	// backup by the table it says that its copy is no longer needed.
	Sync
	// Synced answers it with its Nonce and Term, or without Term: with Known where
	// the sender has heard of a higher one, and without where it has a copy that
	// the owner has never been granted.
	Synced
	// Replicate brings a write to a backup: Nonce, Known (no replication of a
	// lower nonce is under way), Term, Ref, Version, and one item in Content;
	// without one, the key is to be dropped.
	Replicate
	// Replicated answers it with its Nonce, Ref and Term; without Term it was
	// refused.
	Replicated
	// Forget says that all members have Generation, or a higher one, of Ref.Cache: of
	// what that clear has removed nothing need be remembered. It has no answer.
	Forget
)

var kindNames = [...]string{"none", "take", "grant", "done", "held", "revoke", "revoked", "stage", "clear", "cleared", "sync", "synced", "replicate", "replicated", "forget"}

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
	Urgent      bool // Held
	Slot        int
	Nonce       uint64
	Digest      uint64
	Term        Term
	Spends      []Spend // to whom the copy was granted before
	Taken       uint64  // nonce of the take by which the sender last became active
	Known       uint64  // highest term count that the sender knows of
	Made        uint64  // the nonce with which the copy's term was raised, at its raiser
	Backed      uint64  // highest term count of a Sync that the sender has accepted
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
// Of several takes of one member, Nonce and Backups are those of the last one
// that was granted before the member had served, and First is the first nonce.
type Spend struct {
	To      Member
	Nonce   uint64
	First   uint64
	Backups []Member // whom the taker has to bring up to date before it serves
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
	Short     bool // see cache.Entry
}

// Envelope is a message and whom it is for.
type Envelope struct {
	To      Member
	Message Message
}

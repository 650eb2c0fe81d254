package cache

import "time"

// Kind says in what right a node has an entry. The same key may be held in
// several kinds at a time; they do not know of each other.
type Kind uint8

const (
	// Owned is the node's own share, or what is left of it until others have it.
	Owned Kind = iota
	// Near is a copy of what another node owns. It is served until LeaseEnd.
	Near
	// Staged is copied ahead of owning it. It is never served.
	Staged

	kindCount = 3
)

// Kinds is a set of kinds.
type Kinds uint8

// Sets of one kind and of all.
const (
	OwnedOnly  Kinds = 1 << Owned
	NearOnly   Kinds = 1 << Near
	StagedOnly Kinds = 1 << Staged
	AllKinds         = OwnedOnly | NearOnly | StagedOnly
)

func (k Kind) String() string {
	switch k {
	case Owned:
		return "owned"
	case Near:
		return "near"
	case Staged:
		return "staged"
	}
	return "unknown"
}

// Ref names an entry: a key of a numbered cache. Hash is a 64-bit hash of both,
// made by whoever uses the store, always the same for the same key; its lowest
// bits are the entry's slot. Two keys may share a hash.
type Ref struct {
	Hash  uint64
	Cache uint32
	Key   string
}

// Entry is what is stored under a Ref.
type Entry struct {
	Kind      Kind
	Tombstone bool // it was deleted: there is no value, and nothing older may come back
	Negative  bool // a tombstone that says that a loader found nothing
	// Short says that the entry took the place of one that could have lived
	// longer. When its time is over and it was owned, the floor of its slot rises
	// to its version: elsewhere the older one may be left.
	Short      bool
	Version    uint64
	Generation uint64 // of its cache when it was written
	Value      []byte // never changed once it is here
	// Expires and LeaseEnd are on the store's clock; an Expires of 0 is never.
	// LeaseEnd counts for Near only.
	Expires  time.Duration
	LeaseEnd time.Duration
}

// Item is an entry with its name.
type Item struct {
	Ref   Ref
	Entry Entry
}

// Hit is what Get found: a live value.
type Hit struct {
	Value   []byte
	Decoded any // what SetDecoded put beside the value, or nil
	Version uint64
	Kind    Kind
	Expires time.Duration
	// At is a reading of the clock from after the entry was found, or 0 where
	// Get had no need of one.
	At time.Duration
}

// Digest stands for the live entries that a slot has of some kinds: keys and
// versions, and which are tombstones. Slots whose digests are equal have the same.
type Digest struct {
	Count uint32
	Sum   uint64
}

// Result says what became of a Put.
type Result uint8

const (
	// Stored: the entry is in the store.
	Stored Result = iota + 1
	// Older: the store has that version or a newer one, or the entry was dead
	// already.
	Older
)

package protocol

import "time"

// Table says who the members are and who owns which slot. It is made from the
// member list alone, so nodes whose lists agree have tables with the same
// Digest. It is immutable and shared by all slots of a node.
type Table struct {
	// Digest stands for name, incarnation and state of all Members.
	Digest uint64
	// Members are the active and the leaving members, this node included:
	// everyone whom a take asks.
	Members []Member
	// Active are the members that may be lent near copies.
	Active []Member
	// Reach are Members and the joining ones: where revocations and clears go.
	Reach []Member
	// MaxNear is the longest lease that any member of this table or the last
	// may have been given.
	MaxNear time.Duration
	// With the fence on (Shared.Fenced): until Barred, on this node's clock, a
	// member that this node has taken out without its word may still serve, for
	// all that this node has told it. Lost is when the last one was taken out;
	// below zero: none.
	Barred, Lost time.Duration
	// Place returns the owner of a slot and then its backups.
	Place func(slot int) []Member
}

// sameFor tells whether takes and grants are the same by both tables.
func (t *Table) sameFor(u *Table) bool {
	return t != nil && t.Digest == u.Digest && t.Barred == u.Barred && t.Lost == u.Lost
}

// holders returns the slot's owner, 0 where there is none, and who keeps a copy
// beside it.
func (t *Table) holders(slot int) (owner Member, backups []Member) {
	if h := t.Place(slot); len(h) > 0 {
		return h[0], h[1:]
	}
	return 0, nil
}

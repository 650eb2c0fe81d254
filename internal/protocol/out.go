package protocol

import (
	"time"

	"github.com/peercache/peercache/cache"
)

// Call stands for a caller that waits for an Answer. Its meaning is the
// node's; zero is nobody.
type Call uint64

// Status says how a call ended.
type Status uint8

const (
	// Found: the value is in the answer.
	Found Status = iota + 1
	// Missing: the owner has no value.
	Missing
	// Written: the write is visible everywhere and acknowledged.
	Written
	// Partial: the members in Unconfirmed have not answered a Delete in time;
	// the work goes on.
	Partial
	// NotMine: this node is not the owner by its own table; nothing was done.
	NotMine
	// NotExecuted: nothing was done, and the call may be sent again.
	NotExecuted
	// Unavailable: the slot did not become active, or not all backups have
	// acknowledged, in time. A write may still take effect.
	Unavailable
	// Overloaded: too many calls wait; nothing was done.
	Overloaded
	// Failed: the loader failed; Err says how.
	Failed
	// Fenced: the node may not answer from its memory now. A read is a miss; a
	// write may have been executed.
	Fenced
)

var statusNames = [...]string{"none", "found", "missing", "written", "partial", "not mine", "not executed", "unavailable", "overloaded", "failed", "fenced"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Answer ends a call.
type Answer struct {
	Call        Call
	Status      Status
	Lease       bool // the asker may keep the value as long as it asked for
	Loaded      bool // the value comes from the loader
	Value       []byte
	Version     uint64        // of the value, or of what was written
	Count       uint64        // generation of the value
	Left        time.Duration // of its time to live; 0: for ever
	Generation  Generation    // of its cache, at the owner
	Unconfirmed []Member
	Err         error
}

// Out collects what follows from a step. The node empties it (Reset) and acts
// on it after each step or group of steps.
type Out struct {
	Messages []Envelope
	Answers  []Answer
	// Loads are loaders to run; each ends in Slot.Loaded.
	Loads []Load
	// Fetches are contents to fetch; each ends in Slot.Fetched.
	Fetches []Fetch
	// Again are deletions whose caller has been answered Partial, and whose
	// slot was lost before they were done: to be sent to the new owner.
	Again []cache.Ref
	// Differ are members whose table differs from ours.
	Differ []Member
}

// Reset empties o and keeps its memory.
func (o *Out) Reset() {
	clear(o.Messages)
	clear(o.Answers)
	o.Messages, o.Answers = o.Messages[:0], o.Answers[:0]
	o.Loads, o.Fetches, o.Again, o.Differ = o.Loads[:0], o.Fetches[:0], o.Again[:0], o.Differ[:0]
}

// Empty tells whether nothing is to be done.
func (o *Out) Empty() bool {
	return len(o.Messages)+len(o.Answers)+len(o.Loads)+len(o.Fetches)+len(o.Again)+len(o.Differ) == 0
}

func (o *Out) send(to Member, m Message) {
	o.Messages = append(o.Messages, Envelope{To: to, Message: m})
}

func (o *Out) answer(a Answer) {
	if a.Call != 0 {
		o.Answers = append(o.Answers, a)
	}
}

// Load is a loader to run for a key.
type Load struct {
	Slot int
	ID   uint64
	Ref  cache.Ref
}

// Fetch is a slot's content to fetch from a giver. With All everything is
// sent, otherwise what differs from the Staged entries here.
type Fetch struct {
	Slot  int
	From  Member
	Nonce uint64
	All   bool
}

// Piece is a part of a giver's content: the items that differ from what is staged at
// the taker (or all of them, as the Fetch said), and, with the first piece, the keys
// that are staged there and that the giver does not have.
//
// The floor is the giver's after it has looked: since its grant it may have evicted
// something.
type Piece struct {
	Items []Item
	Gone  []cache.Ref
	Floor uint64
	Last  bool
}

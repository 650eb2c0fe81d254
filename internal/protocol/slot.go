package protocol

import (
	"math"
	"slices"
	"time"

	"github.com/peercache/peercache/cache"
)

// Slot is one node's state machine for one slot. All its methods must be
// called under the one lock that the node holds for it. Times are on the
// node's monotonic clock.
//
// A change of tables looks at all slots, most of which it does not concern. So
// what it needs of them comes first, in few lines of the processor's cache.
type Slot struct {
	table *Table
	owner Member // by table
	// backups are who keeps a copy beside the owner, by table; backup tells
	// whether this node is one of them.
	backups []Member
	num     int
	epoch   uint64 // rises with every revocation and table: fills begun before are not kept

	backup  bool
	active  bool
	lost    bool // was this node's by an earlier table; nobody is known to serve it yet
	drained bool
	// replicating is how many keys have a write that has a version and waits for
	// backups.
	replicating int
	take        *take
	sync        *syncing
	// synced is, as the owner, who has the copy of this term: backed up to date by
	// the last sync.
	synced []Member
	// term, made and spends describe the Owned entries of this slot here: the
	// owner's share while active, a backup's copy, or what is left until a Done.
	// The zero term means that there is no copy.
	term   Term
	made   uint64  // nonce with which its raiser raised term; 0 where it has no backups
	spends []Spend // to whom the copy has been granted
	known  uint64  // highest term count heard of
	backed uint64  // highest term count of a Sync that this node accepted as a backup
	taken  uint64  // nonce of the take by which this node last became active
	askers []asker
	sh     *Shared

	copies  []Member // as the owner: who may have a copy of an earlier term that was not granted away
	open    []uint64 // the numbers of the replications under way
	stagers []Member // members that copy this slot ahead
	// As a backup: a sync whose content is being fetched, and which replications
	// of this term have come.
	filling *Message
	window  window
	handed  []handed // writes that are answered once the new owner serves

	revokeAll time.Duration // until then the last owner's leases may run
	activated time.Duration // when this node began to serve; only with the fence on
	leases    int           // lent, over all keys
	writing   int           // keys with a write under way
	nextPrune time.Duration // when ended leases are next dropped
	nonces    uint64
	asking    repeat // for a Done, while there is a leftover

	keys   map[cache.Ref]*key // keys with leases, writes or loads
	parked []parked
}

// key is what an owner knows of a key besides its entry.
type key struct {
	leases []lease
	write  *write   // under way
	queue  []*write // behind it, in the order of arrival
	loads  []*load  // under way; the last one takes further readers
}

// NewSlot returns the slot of that number, with no table and no copy.
func NewSlot(sh *Shared, num int) Slot { return Slot{sh: sh, num: num} }

// Active tells whether this node serves the slot.
func (s *Slot) Active() bool { return s.active }

// Owner returns the slot's owner by this node's table; 0 before the first.
func (s *Slot) Owner() Member { return s.owner }

// Holds tells whether the cluster still needs this node for the slot: it has a
// copy, or it lost the slot and nobody serves it yet.
func (s *Slot) Holds() bool { return s.term.held() || s.lost }

// Lost tells whether this node has a copy of a slot that another member owns,
// and does not know yet that it is served there.
func (s *Slot) Lost() bool {
	return s.Holds() && s.owner != s.sh.Self && !(s.backup && s.term.Raiser == s.owner)
}

// Safe tells whether this node serves the slot and every backup of its table
// has acknowledged that it has it, in the present term.
func (s *Slot) Safe() bool { return s.active && s.sync == nil }

// Term returns the term of the copy that this node holds.
func (s *Slot) Term() Term { return s.term }

// Epoch changes when a fill that began before must not be kept.
func (s *Slot) Epoch() uint64 { return s.epoch }

// Busy tells whether Tick has anything to do, now or later.
func (s *Slot) Busy() bool {
	return len(s.keys) > 0 || len(s.parked) > 0 || s.take != nil || s.sync != nil || len(s.handed) > 0 || s.leftover()
}

// leftover tells whether this node waits to hear that the slot is served
// elsewhere.
func (s *Slot) leftover() bool {
	return s.Holds() && s.owner != s.sh.Self && !s.backup && s.table != nil
}

// Switch gives the slot a new table. With stranger, the table has a member
// that served without this one knowing of it (or the other way round), so that
// what this node serves may not be all there is.
func (s *Slot) Switch(t *Table, stranger bool, now time.Duration, out *Out) {
	self, old := s.sh.Self, s.table
	owner, backups := t.holders(s.num)
	s.epoch++
	if !stranger && old.sameFor(t) && owner == s.owner && slices.Equal(backups, s.backups) {
		// Others are reached than before, by revocations and clears. Takes and syncs
		// under way are as good as before.
		s.table = t
		s.keepStagers(old)
		return
	}
	s.lost = s.lost || s.owner == self || s.backup
	s.table, s.owner, s.backups = t, owner, backups
	s.backup = contains(s.backups, self)
	s.lost = s.lost && s.owner != self && !s.backup
	s.voidTake()
	s.voidFilling()
	if s.active && (s.owner != self && !s.sh.off.stop || stranger && !s.sh.off.stranger) {
		s.deactivate(out)
	}
	s.keepStagers(old)
	s.resync()
	s.forgetBackups(now, out)
	if s.owner != self {
		s.refuseParked(NotMine, out)
		s.asking.start(now, s.sh.Resend)
		if len(s.handed) > 0 {
			s.hurryOwner(now, out)
		}
	} else if !s.active {
		s.startTake(now, out)
	}
	s.grantAskers(old, now, out)
	s.afterDrain(now, out)
}

// deactivate ends serving. What was lent is the next owner's to revoke.
func (s *Slot) deactivate(out *Out) {
	s.active, s.sync = false, nil
	s.sh.Serving(s.num, false)
	for ref, k := range s.keys {
		s.abortWrites(ref, k, out)
		s.dropUnstarted(k, out)
		s.leases -= len(k.leases)
		s.sh.Leases.give(len(k.leases))
		k.leases = nil
		s.tidy(ref, k)
	}
}

// Handle takes a message from another member.
func (s *Slot) Handle(from Member, m *Message, now time.Duration, out *Out) {
	switch m.Kind {
	case Take:
		s.onTake(from, m, now, out)
	case Grant:
		s.onGrant(from, m, now, out)
	case Done:
		s.onDone(from, m, out)
	case Held:
		s.onHeld(from, m, now, out)
	case Revoke:
		s.onRevoke(from, m, out)
	case Revoked:
		s.onRevoked(from, m, now, out)
	case Stage:
		s.onStage(m, now)
	case Sync:
		s.onSync(from, m, now, out)
	case Synced:
		s.onSynced(from, m, now, out)
	case Replicate:
		s.onReplicate(from, m, now, out)
	case Replicated:
		s.onReplicated(from, m, now, out)
	}
}

// Due returns a moment before which Tick has nothing to do, unless something else
// happens first.
func (s *Slot) Due() time.Duration {
	if len(s.parked) > 0 || len(s.handed) > 0 || s.writing > 0 || s.take != nil && s.take.after > 0 {
		return 0
	}
	due := time.Duration(math.MaxInt64)
	if s.take != nil && !s.take.held {
		due = min(due, s.take.resend.at)
	}
	if s.sync != nil && s.sync.nonce != 0 {
		due = min(due, s.sync.resend.at)
	}
	if s.leases > 0 {
		due = min(due, s.nextPrune)
	}
	if s.leftover() {
		due = min(due, s.asking.at)
	}
	return due
}

// Tick does what has fallen due: deadlines, ended leases, messages to send
// again.
func (s *Slot) Tick(now time.Duration, out *Out) {
	s.tickParked(now, out)
	s.tickTake(now, out)
	s.tickSync(now, out)
	s.tickHanded(now, out)
	if prune := s.leases > 0 && now >= s.nextPrune; prune || s.writing > 0 {
		next := noEnd
		for ref, k := range s.keys {
			if prune {
				next = s.pruneLeases(k, now, next)
			}
			s.tickWrites(ref, k, now, out)
			s.tidy(ref, k)
		}
		if prune {
			s.nextPrune = max(next, now+pruneEvery)
		}
	}
	if (s.leftover() || len(s.handed) > 0 && s.owner != s.sh.Self) && s.asking.due(now, s.sh.Resend) {
		s.sendHeld(out)
	}
}

// Gone says that the process of a member is known to be gone: it holds no near
// copy and answers nothing.
func (s *Slot) Gone(m Member, now time.Duration, out *Out) {
	s.stagers = without(s.stagers, m)
	for ref, k := range s.keys {
		s.dropLease(k, m)
		if w := k.write; w != nil && !w.versioned() && w.confirm(m) {
			s.step(ref, k, now, out)
		}
		s.tidy(ref, k)
	}
}

// key returns what is known of a key, made when it is not there.
func (s *Slot) key(ref cache.Ref) *key {
	k := s.keys[ref]
	if k == nil {
		k = &key{}
		if s.keys == nil {
			s.keys = make(map[cache.Ref]*key)
		}
		s.keys[ref] = k
	}
	return k
}

// tidy forgets a key of which nothing is known any longer.
func (s *Slot) tidy(ref cache.Ref, k *key) {
	if len(k.leases) == 0 && k.write == nil && len(k.queue) == 0 && len(k.loads) == 0 {
		delete(s.keys, ref)
		if len(s.keys) == 0 {
			s.keys = nil // an empty map is half a kilobyte, in each of many slots
		}
	}
}

package protocol

// rules are switches that leave out a rule of the protocol. The zero value
// leaves out none. Only this package's tests can set one: they show, for each,
// that the search then finds a counterexample, so that no rule is here for
// nothing.
type rules struct {
	digest   bool // a grant waits until the giver has the taker's table
	takeAll  bool // every member is asked, not only the slot's last owner
	leaseMem bool // leases only to active members of the owner's table
	idle     bool // no lease on a key that is being written
	stop     bool // an owner that loses a slot serves it no longer, from that moment on
	revAll   bool // a new owner revokes at everybody until the last owner's leases are over
	revoke   bool // a write revokes before it takes its version
	epoch    bool // a fill is not kept when its key was revoked meanwhile
	clearAck bool // acknowledgements of a clear name members, who are asked too
	confirm  bool // a clear is done when every member has confirmed it
	genGrant bool // grants carry the generations
	abort    bool // a write without a version is refused when the slot is lost
	clock    bool // grants move the clock on
	spent    bool // a copy that was granted away counts only if its taker is known never to have served
	loadVer  bool // a load's version is taken before the loader runs
	loadTerm bool // a load is not stored when the slot was lost meanwhile
	once     bool // a write is sent again only if it was not executed
	stranger bool // an owner takes its slots again when it meets a member that served without it

	replFirst   bool // a write is visible only once the backups have it
	strict      bool // every backup of the table must have acknowledged a write
	term        bool // a backup refuses a replication of another term than its copy's
	backupFence bool // a backup refuses who is not the owner by its own table
	syncFirst   bool // the backups have the slot before its owner serves it
	pause       bool // nothing is replicated before changed backups have acknowledged
	release     bool // who is a backup no longer has given up its copy before the next write
	keepOld     bool // and does so only when the new backups have theirs
	drain       bool // a grant waits for replications under way
	descent     bool // a copy does not count beside one that was made from it
	witness     bool // a backup that was never synced tells that a taker who is gone never served
	loadDrop    bool // a load takes the key from the backups before the loader runs
	twice       bool // a replication that comes again is not applied again
	resync      bool // a sync that was accepted before replaces nothing when it comes again
	given       bool // a write that is left to the next owner counts only if that one was given it
	pieceFloor  bool // what a grant did not carry brings the giver's floor
	mergeFloor  bool // what is evicted while copies are merged keeps out what is older
}

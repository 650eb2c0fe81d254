package protocol

import "time"

// A change of tables concerns thousands of slots at once, and a call waits for
// few of them. If all were taken at the same moment, each of those few would be
// behind all others in every queue. So with Shared.Paced a take asks nobody, and a
// change of backups alone sends no Sync, until the node calls Proceed, which it does
// for so many slots at a time; or until a call needs it, which then goes first.

// Waits tells whether there is something to begin.
func (s *Slot) Waits() bool {
	return s.take != nil && s.take.held || s.sync != nil && s.sync.held
}

// Asks tells whether others have been asked for something that the slot cannot go
// on without, and have not all answered.
func (s *Slot) Asks() bool {
	return s.take != nil && !s.take.held && !s.take.collecting || s.sync != nil && len(s.sync.waiting) > 0
}

// Proceed begins what waits.
func (s *Slot) Proceed(now time.Duration, out *Out) {
	s.hurryTake(now, out)
	s.hurrySync()
	s.afterDrain(now, out)
}

// hurryTake begins a take that waits.
func (s *Slot) hurryTake(now time.Duration, out *Out) {
	if s.take != nil && s.take.held {
		s.askAll(now, out)
	}
}

// hurrySync lets a Sync that waits begin as soon as no replication is under way.
// afterDrain is to follow.
func (s *Slot) hurrySync() {
	if s.sync != nil && s.sync.held {
		s.sync.held, s.drained = false, true
	}
}

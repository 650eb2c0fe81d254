package protocol

import "time"

// parked is a call that came before the slot was active. It is answered when
// the slot is active, when its deadline is over, or when the slot turns out to
// be another's.
type parked struct {
	get   *Get
	write *WriteCall
}

func (p parked) deadline() time.Duration {
	if p.get != nil {
		return p.get.Deadline
	}
	return p.write.Deadline
}

func (p parked) call() Call {
	if p.get != nil {
		return p.get.Call
	}
	return p.write.Call
}

// cost is what Shared.Writes is charged with while the call is parked.
func (p parked) cost() int {
	if p.get != nil {
		return costOf(p.get.Ref, 0)
	}
	return costOf(p.write.Ref, len(p.write.Value))
}

func (s *Slot) park(p parked, now time.Duration, out *Out) {
	if len(s.parked) >= s.sh.MaxParked || s.sh.Writes.full() {
		out.answer(Answer{Call: p.call(), Status: Overloaded})
		return
	}
	s.sh.Writes.add(p.cost())
	s.parked = append(s.parked, p)
	s.hurryTake(now, out)
}

// unpark returns all calls that are parked, which are no longer.
func (s *Slot) unpark() []parked {
	calls := s.parked
	s.parked = nil
	for _, p := range calls {
		s.sh.Writes.give(p.cost())
	}
	return calls
}

func (s *Slot) refuseParked(why Status, out *Out) {
	for _, p := range s.unpark() {
		out.answer(Answer{Call: p.call(), Status: why})
	}
}

func (s *Slot) replayParked(now time.Duration, out *Out) {
	for _, p := range s.unpark() {
		if p.get != nil {
			s.Get(*p.get, now, out)
		} else {
			s.Write(*p.write, now, out)
		}
	}
}

func (s *Slot) tickParked(now time.Duration, out *Out) {
	kept := s.parked[:0]
	for _, p := range s.parked {
		if now < p.deadline() {
			kept = append(kept, p)
			continue
		}
		s.sh.Writes.give(p.cost())
		out.answer(Answer{Call: p.call(), Status: Unavailable})
	}
	clear(s.parked[len(kept):])
	s.parked = kept
}

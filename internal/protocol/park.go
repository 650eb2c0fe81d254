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

func (s *Slot) park(p parked, now time.Duration, out *Out) {
	if len(s.parked) >= s.sh.MaxParked {
		out.answer(Answer{Call: p.call(), Status: Overloaded})
		return
	}
	s.parked = append(s.parked, p)
	s.hurryTake(now, out)
}

func (s *Slot) refuseParked(why Status, out *Out) {
	for _, p := range s.parked {
		out.answer(Answer{Call: p.call(), Status: why})
	}
	s.parked = nil
}

func (s *Slot) replayParked(now time.Duration, out *Out) {
	calls := s.parked
	s.parked = nil
	for _, p := range calls {
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
		out.answer(Answer{Call: p.call(), Status: Unavailable})
	}
	clear(s.parked[len(kept):])
	s.parked = kept
}

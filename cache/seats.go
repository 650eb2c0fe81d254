package cache

// seats has an order's records in queues, each from the first to go to the last: lists
// that are linked by numbers. A record's seat is of 16 bytes and stays its own while
// it moves from one queue to another, and whoever takes a record's place takes its
// seat. So nothing is allocated for either, and nothing looked up: a record knows its
// number.
//
// The lists are circles. The seats with the numbers of the queues belong to nobody: each
// stands between the last and the first of its queue.
type seats struct {
	all  []seat
	free uint32 // the first of the seats that are given back, linked by next; 0: there is none
	lens [queueCount]int
}

type seat struct {
	r          *record
	next, prev uint32 // next is who goes after it
}

// push gives a record a seat, as the last to go of a queue.
func (s *seats) push(q queue, r *record) {
	n := s.free
	switch {
	case n != 0:
		s.free = s.all[n].next
	default:
		if s.all == nil {
			s.all = make([]seat, queueCount, 2*queueCount)
			for i := range s.all {
				s.all[i] = seat{next: uint32(i), prev: uint32(i)}
			}
		}
		n = uint32(len(s.all))
		s.all = append(s.all, seat{})
	}
	s.all[n].r = r
	r.sit(n)
	s.link(n, q, r)
}

// remove takes a record's seat back.
func (s *seats) remove(r *record) {
	n := r.seat()
	s.unlink(n, r.queue)
	s.all[n] = seat{next: s.free}
	s.free = n
}

// move makes a record the last to go of a queue.
func (s *seats) move(q queue, r *record) {
	n := r.seat()
	s.unlink(n, r.queue)
	s.link(n, q, r)
}

// take gives a record the seat of another, as the last to go of its queue.
func (s *seats) take(was, r *record) {
	r.mark.Store(was.mark.Load()) // touched too
	r.queue = was.queue
	s.all[r.seat()].r = r
	s.move(r.queue, r)
}

// first returns the first to go of a queue; nil where it is empty.
func (s *seats) first(q queue) *record {
	if s.lens[q] == 0 {
		return nil
	}
	return s.all[s.all[q].next].r
}

// has tells whether a record has a seat here.
func (s *seats) has(r *record) bool {
	n := r.seat()
	return n >= uint32(queueCount) && int(n) < len(s.all) && s.all[n].r == r
}

func (s *seats) link(n uint32, q queue, r *record) {
	r.queue = q
	s.lens[q]++
	end := &s.all[q]
	s.all[n].prev, s.all[n].next = end.prev, uint32(q)
	s.all[end.prev].next = n
	end.prev = n
}

func (s *seats) unlink(n uint32, q queue) {
	s.lens[q]--
	x := &s.all[n]
	s.all[x.prev].next, s.all[x.next].prev = x.next, x.prev
}

package cache

// seats has an order's records in queues, each from the first to go to the last: lists
// that are linked by numbers. A record's seat is of 16 bytes and stays its own while
// it moves from one queue to another, and whoever takes a record's place takes its
// seat. So nothing is allocated for either, and nothing looked up: a record knows its
// number.
//
// The lists are circles. The seats with the numbers of the queues belong to nobody: each
// stands between the last and the first of its queue.
//
// Seats are made a row at a time, so that more of them take no longer to make. Only the
// first row begins small and is copied as it grows: a store has many orders, of which
// most may have few records.
type seats struct {
	rows [][]seat
	free uint32 // the first of the seats that are given back, linked by next; 0: there is none
	lens [queueCount]int
}

type seat struct {
	r          *record
	next, prev uint32 // next is who goes after it
}

const (
	rowBits = 8
	rowLen  = 1 << rowBits
)

func (s *seats) at(n uint32) *seat { return &s.rows[n>>rowBits][n%rowLen] }

// push gives a record a seat, as the last to go of a queue.
func (s *seats) push(q queue, r *record) {
	n := s.free
	if n == 0 {
		n = s.grow()
	} else {
		s.free = s.at(n).next
	}
	s.at(n).r = r
	r.sit(n)
	s.link(n, q, r)
}

// grow makes a seat and returns its number.
func (s *seats) grow() uint32 {
	if s.rows == nil {
		first := make([]seat, queueCount, queueCount+1) // doubled, it comes to rowLen
		for i := range first {
			first[i] = seat{next: uint32(i), prev: uint32(i)}
		}
		s.rows = [][]seat{first}
	}
	last := len(s.rows) - 1
	if len(s.rows[last]) == rowLen {
		s.rows = append(s.rows, make([]seat, 0, rowLen))
		last++
	}
	s.rows[last] = append(s.rows[last], seat{})
	return uint32(last<<rowBits + len(s.rows[last]) - 1)
}

// remove takes a record's seat back.
func (s *seats) remove(r *record) {
	n := r.seat()
	s.unlink(n, r.queue)
	*s.at(n) = seat{next: s.free}
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
	s.at(r.seat()).r = r
	s.move(r.queue, r)
}

// first returns the first to go of a queue; nil where it is empty.
func (s *seats) first(q queue) *record {
	if s.lens[q] == 0 {
		return nil
	}
	return s.at(s.at(uint32(q)).next).r
}

// has tells whether a record has a seat here.
func (s *seats) has(r *record) bool {
	n := r.seat()
	return n >= uint32(queueCount) && int(n>>rowBits) < len(s.rows) && int(n%rowLen) < len(s.rows[n>>rowBits]) && s.at(n).r == r
}

func (s *seats) link(n uint32, q queue, r *record) {
	r.queue = q
	s.lens[q]++
	x, end := s.at(n), s.at(uint32(q))
	x.prev, x.next = end.prev, uint32(q)
	s.at(end.prev).next = n
	end.prev = n
}

func (s *seats) unlink(n uint32, q queue) {
	s.lens[q]--
	x := s.at(n)
	s.at(x.prev).next, s.at(x.next).prev = x.next, x.prev
}

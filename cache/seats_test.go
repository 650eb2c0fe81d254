package cache

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Seats do what slices do, whatever comes and goes.
func TestSeats(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var s seats
	var want [queueCount][]*record
	most := 0
	for step := range 6_000 {
		q := queue(rnd.IntN(int(queueCount)))
		n := 0
		for _, list := range want {
			n += len(list)
		}
		most = max(most, n)
		if n == 0 || rnd.IntN(1400) < 1400-n {
			r := newRecord(&Ref{Hash: uint64(step)}, &Entry{})
			s.push(q, r)
			want[q] = append(want[q], r)
			continue
		}
		from := queue(rnd.IntN(int(queueCount)))
		if len(want[from]) == 0 {
			continue
		}
		i := rnd.IntN(len(want[from]))
		r := want[from][i]
		want[from] = slices.Delete(want[from], i, i+1)
		switch rnd.IntN(4) {
		case 0:
			s.remove(r)
			if s.has(r) {
				t.Fatal("who was removed has a seat")
			}
		case 1:
			x := newRecord(&Ref{Hash: uint64(step)}, &Entry{})
			if step%2 == 0 {
				r.touch()
			}
			s.take(r, x)
			want[from] = append(want[from], x)
			if x.touched() != r.touched() || s.has(r) {
				t.Fatalf("touched is %v, not %v; the one before has a seat: %v", x.touched(), r.touched(), s.has(r))
			}
		default:
			s.move(q, r)
			want[q] = append(want[q], r)
		}
		for q := range queueCount {
			if got := s.list(q); !slices.Equal(got, want[q]) || len(got) != s.lens[q] {
				t.Fatalf("step %d: queue %d has %d of %d, and counts %d", step, q, len(got), len(want[q]), s.lens[q])
			}
			for _, r := range want[q] {
				if r.queue != q || !s.has(r) {
					t.Fatalf("step %d: a record is in queue %d and says %d", step, q, r.queue)
				}
			}
		}
	}
	made := 0
	for _, row := range s.rows {
		made += len(row)
	}
	if made > most+int(queueCount) || len(s.rows) < 3 {
		t.Errorf("%d seats for %d records, in %d rows", made, most, len(s.rows))
	}
}

// list returns the records of a queue from the first to go to the last.
func (s *seats) list(q queue) (list []*record) {
	if s.rows == nil {
		return nil
	}
	for n := s.at(uint32(q)).next; n != uint32(q); n = s.at(n).next {
		list = append(list, s.at(n).r)
	}
	return list
}

package cluster

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// standing says until when a node may answer from its own memory, with what it
// owns and with near copies: while it knows that its process was not stopped for
// long (wake.go), and, with the fence on, while enough members have answered it
// (fence.go). It is looked at after what is to be answered was read, with a clock
// read after that: so an answer was right at a moment between its call and then.
type standing struct {
	_     [64]byte     // every hit reads until
	until atomic.Int64 // on the node's clock
	_     [64]byte

	clock  *clock
	least  int          // members that must answer; 0: the fence is off
	fenced atomic.Int64 // until when enough of them have

	mu     sync.Mutex    // guards what follows, and the writing of until and fenced
	awake  time.Duration // until when the process surely was not stopped
	asleep bool          // it was, and what has been missed is not known yet
	sleeps uint64        // how often
	seated []protocol.Member
	inside bool // this node is in its own table
	heard  map[protocol.Member]pong
}

// pong is what a member has answered last.
type pong struct {
	sent time.Duration // when that was sent which it has answered
	upTo uint64        // how far it lets this node count, see announce.go
}

// start is called before the node has others.
func (s *standing) start(least int, c *clock) {
	s.clock, s.least = c, least
	c.fenced = least > 1
	s.awake = awakeFor
	s.heard = make(map[protocol.Member]pong)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
}

// mayAnswer tells whether this node may answer from its own memory what it has
// read there before it asked.
func (n *Node) mayAnswer() bool { return int64(n.clock.now()) < n.standing.until.Load() }

// mayAnswerAt is mayAnswer with a reading of the clock that was taken after what
// is to be answered was read, or zero for a new one.
func (n *Node) mayAnswerAt(at time.Duration) bool {
	if at == 0 {
		at = n.clock.now()
	}
	return int64(at) < n.standing.until.Load()
}

// fencedOff tells whether fewer members answer than the fence wants.
func (n *Node) fencedOff() bool {
	return n.standing.least > 0 && int64(n.clock.now()) >= n.standing.fenced.Load()
}

var (
	// errAsleep is given while a node that was stopped asks what it has missed.
	errAsleep = fmt.Errorf("cluster: the process was stopped, and the members are being asked: %w", wire.ErrNotSent)
	// errFenced is given below the number of members that the fence wants.
	errFenced = fmt.Errorf("%w: fewer members answer than Fence", ErrUnavailable)
)

// guard keeps back what this node may not answer from its memory, be it that there
// is nothing. What a loader has brought does not come from there.
func (n *Node) guard(a *protocol.Answer) {
	switch a.Status {
	case protocol.Found, protocol.Missing, protocol.Written:
	default:
		return
	}
	switch {
	case a.Loaded || n.mayAnswer():
		return
	case n.fencedOff():
		a.Status = protocol.Fenced
	case a.Status == protocol.Written:
		a.Status = protocol.Unavailable
	default:
		a.Status = protocol.NotExecuted
	}
	a.Value, a.Lease = nil, false
}

// count finds out until when enough members have answered and how far this node
// may count, and publishes that. Who has confirmed less than what this node has
// counted already does not count. It is called with mu held.
func (s *standing) count() {
	fenced := time.Duration(math.MaxInt64)
	switch others := s.least - 1; {
	case s.least == 0:
	case others == 0:
	default:
		heard := make([]pong, 0, len(s.seated))
		for _, m := range s.seated {
			if p, ok := s.heard[m]; ok {
				heard = append(heard, p)
			}
		}
		slices.SortFunc(heard, func(a, b pong) int { return cmp.Compare(b.upTo, a.upTo) })
		most := uint64(0)
		if len(heard) >= others {
			most = heard[others-1].upTo
		}
		s.clock.most.Store(most)
		made := s.clock.made.Load()
		heard = slices.DeleteFunc(heard, func(p pong) bool { return p.upTo < made })
		slices.SortFunc(heard, func(a, b pong) int { return cmp.Compare(b.sent, a.sent) })
		fenced = 0
		if len(heard) >= others {
			fenced = heard[others-1].sent + FenceFor
		}
	}
	if s.least > 0 && !s.inside {
		fenced = 0
	}
	s.fenced.Store(int64(fenced))
	s.publish()
}

func (s *standing) publish() {
	until := time.Duration(s.fenced.Load())
	if s.asleep {
		until = 0
	}
	s.until.Store(int64(min(until, s.awake)))
}

// seats says who is in this node's table. It is called with the roster's lock
// held.
func (s *standing) seats(members []protocol.Member, self protocol.Member) {
	if s.least == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seated, s.inside = nil, false
	for _, m := range members {
		if m == self {
			s.inside = true
			continue
		}
		s.seated = append(s.seated, m)
	}
	for m := range s.heard {
		if !slices.Contains(s.seated, m) {
			delete(s.heard, m)
		}
	}
	s.count()
}

// answered notes that a member has answered what was sent to it then, and lets
// this node count so far.
func (s *standing) answered(m protocol.Member, sent time.Duration, upTo uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.heard[m]
	if sent > old.sent && slices.Contains(s.seated, m) {
		s.heard[m] = pong{sent, max(upTo, old.upTo)}
		s.count()
	}
}

package cluster

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/sim"
)

func (n *simNode) missesIn(d time.Duration) bool {
	n.members.mu.Lock()
	defer n.members.mu.Unlock()
	return n.members.misses(n.clock.now() + d)
}

// Who is killed is missed, also by those who come later, until another run of it is
// where it was, or for a day; who leaves is not.
func TestSimMissed(t *testing.T) {
	simulate(t, 4, sim.LAN(), func(s *simulation) {
		nodes := s.cluster(4)
		s.settled()
		allIn := func(d time.Duration, want bool, when string) {
			t.Helper()
			for _, n := range s.all() {
				if n.missesIn(d) != want {
					t.Errorf("%s: %s misses somebody: %v", when, n.Name(), !want)
				}
			}
		}
		all := func(want bool, when string) { t.Helper(); allIn(0, want, when) }
		s.leave(nodes[3])
		s.agreed()
		all(false, "one has left")
		s.kill(nodes[2])
		s.agreed()
		s.join("later")
		s.agreed()
		all(true, "one was killed")
		s.joinOn(nodes[2].host, nodes[2].Name())
		s.agreed()
		all(false, "it runs again")
		s.kill(nodes[1])
		s.agreed()
		allIn(missedFor-time.Minute, true, "for nearly a day")
		allIn(missedFor+time.Minute, false, "for more than a day")
	})
}

func TestMissingThereAndBack(t *testing.T) {
	n := &Node{clock: newClock(1)}
	from := newRoster(n, record{ID: 1, State: active, Name: "n"})
	now := n.clock.now()
	rec := func(id protocol.Member, st state) record {
		return record{Speaks: spoken, ID: id, State: st, Name: fmt.Sprint("n", id), Peer: fmt.Sprint("10.0.0.1:", id)}
	}
	from.gone[2] = departed{record: rec(2, active), at: now - time.Hour}
	from.gone[3] = departed{record: rec(3, active), at: now, inOrder: true}
	from.gone[4] = departed{record: rec(4, joining), at: now}
	from.missedBy[5] = absence{rec(5, active), now + time.Hour}
	from.missedBy[6] = absence{rec(6, active), now - 1}
	from.gone[7] = departed{record: rec(7, leaving), at: now, again: true}
	d := decoder{b: append(from.appendMissing(nil), "more"...)}
	got := make(map[record]time.Duration)
	for _, a := range d.missing(0) {
		got[a.record] = a.until.Round(time.Minute)
	}
	want := map[record]time.Duration{rec(2, active): missedFor - time.Hour, rec(5, active): time.Hour}
	if !maps.Equal(got, want) || d.err() != nil {
		t.Errorf("%v, %v; want %v", got, d.err(), want)
	}
	if d = (decoder{}); d.missing(0) != nil || d.err() != nil {
		t.Error("a node of version 1.0 is not understood")
	}
	d = decoder{b: []byte{3, 1, 2}}
	if d.missing(0); d.err() == nil {
		t.Error("what is cut off is understood")
	}
}

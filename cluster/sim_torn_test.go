package cluster

import (
	"slices"
	"sync"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// P1 cannot hold while a node that lives is taken for dead by others (without
// the fence). When that is, is not guessed from the faults but seen at the
// nodes: the cluster is torn
//
//   - from the moment at which a living node that owns slots drops another one
//     that lives and owns slots, having taken it for dead;
//   - from when a node turns active that does not know of a living one which has
//     been active for a second: it has begun alone;
//   - from the beginning, until the first nodes have found each other;
//
// until all living nodes that are active have the same table, with all of them
// in it, and every slot is served; and then for as long as near copies last: one
// side may have lent them until that moment, and the other knows nothing of them.
//
// In all other stretches P1 is checked: with hosts that crash and restart, links
// that are cut, lossy or slow, and processes that are frozen, as long as nobody
// who lives is buried, but while he is frozen (storm.tear). With the fence it is
// checked all the time. Calls that do not lie wholly within one stretch are left
// out, as stretch says, and so are reads that a process had not answered when it
// was killed.
type torn struct {
	mu    sync.Mutex // guards what follows
	spans []span     // the last one may be open: to is forEver
}

const forEver = time.Duration(never)

// tear notes that the cluster is torn from a time on.
func (t *torn) tear(at time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.spans); n > 0 && at <= t.spans[n-1].to {
		fresh := t.spans[n-1].to != forEver
		t.spans[n-1].to = forEver
		return fresh
	}
	t.spans = append(t.spans, span{at, forEver})
	return true
}

func (t *torn) now() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.spans)
	return n > 0 && t.spans[n-1].to == forEver
}

// mend notes that it is whole, and safe from a time on.
func (t *torn) mend(at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.spans); n > 0 && t.spans[n-1].to == forEver {
		t.spans[n-1].to = at
	}
}

// stretches lists the times in between.
func (t *torn) stretches() []span {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []span
	from := time.Duration(0)
	for _, s := range t.spans {
		if s.from > from {
			list = append(list, span{from, s.from})
		}
		from = s.to
	}
	if from != forEver {
		list = append(list, span{from, forEver})
	}
	return list
}

// longest is the longest time that it was torn.
func (t *torn) longest(now time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := time.Duration(0)
	for _, s := range t.spans {
		longest = max(longest, min(s.to, now)-s.from)
	}
	return longest
}

// during tells whether it was torn at some time of a span.
func (t *torn) during(in span) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.spans, func(s span) bool { return s.from < in.to && in.from < s.to })
}

// withClears tells whether one of the deeds, beside but, is a Clear at a time at which
// it was torn, in that same piece of a span.
func (t *torn) withClears(in span, deeds []deed, but *deed) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.spans, func(s span) bool {
		return s.from < in.to && in.from < s.to && slices.ContainsFunc(deeds, func(d deed) bool {
			return (d.client != but.client || d.call != but.call) && d.kind == didClear && d.call < s.to && (d.open || s.from < d.ret)
		})
	})
}

// tear notes that the cluster is torn from a time on, and tells whether that is news.
// With the fence P1 is promised all the same; without it, if who was taken for dead
// was stopped then, and asks the others before it answers (and clocks are right, so
// that what it had is known to be older).
func (s *storm) tear(at time.Duration, frosted bool) bool {
	s.kept.tear(s.log.now())
	if s.plan.fence == 0 && (!frosted || s.plan.skewed) {
		s.unsafe.tear(at)
	}
	return s.torn.tear(at)
}

// frosted tells whether a node was frozen at a time.
func (s *storm) frosted(a *life, at time.Duration) bool {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	return a.frosted(span{at, at})
}

// listen takes in whom a node drops, until the node is closed.
func (s *storm) listen(a *life, events <-chan Event) {
	for e := range events {
		if e.Kind != MemberFailed {
			continue
		}
		for _, b := range s.living() {
			if b != a && b.Name() == e.Name && b.PeerAddr() == e.Peer && b.inTable() && s.up(a) {
				at := e.Time.Sub(s.start)
				if s.tear(at, s.frosted(b, at)) {
					s.say("torn: %s takes %s for dead", a.Name(), b.Name())
				}
			}
		}
	}
}

// inTable tells whether the node owns slots or has done so.
func (a *life) inTable() bool {
	me := a.members.me()
	return me.inTable()
}

const watchEvery = 20 * time.Millisecond

// watch looks at the nodes until the storm is over.
func (s *storm) watch(over <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	since := make(map[*life]time.Duration) // when they were first seen active
	for rounds := 0; ; rounds++ {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		now := s.log.now()
		lives := s.living()
		for _, a := range lives {
			if _, seen := since[a]; seen || !a.inTable() {
				continue
			}
			since[a] = now
			for _, b := range lives {
				if was, ok := since[b]; ok && now-was > time.Second && b.inTable() && !slices.Contains(a.members.view.Load().table.Members, b.id) {
					if s.tear(now-watchEvery, s.frosted(b, now)) {
						s.say("torn: %s turned active without %s", a.Name(), b.Name())
					}
				}
			}
		}
		if s.torn.now() && whole(lives) {
			s.torn.mend(now + max(s.plan.near, 0))
			s.unsafe.mend(now + max(s.plan.near, 0))
			s.kept.tear(now)
			s.say("whole again, %d nodes", len(lives))
		}
		if s.plan.backups > 0 && whole(lives) && backedUp(lives, s.plan.backups) {
			s.kept.full()
		}
		if rounds%50 == 0 {
			s.within(lives)
		}
	}
}

// whole tells whether all that are active agree, and all slots are served.
func whole(lives []*life) bool {
	var digest uint64
	var in []protocol.Member
	served := 0
	for _, a := range lives {
		if !a.inTable() {
			continue
		}
		v := a.members.view.Load()
		if len(in) > 0 && v.table.Digest != digest {
			return false
		}
		digest = v.table.Digest
		in = append(in, a.id)
		served += int(a.activeSlots.Load())
	}
	for _, a := range lives {
		if !a.inTable() {
			continue
		}
		for _, id := range in {
			if !slices.Contains(a.members.view.Load().table.Members, id) {
				return false
			}
		}
	}
	return len(in) > 0 && served == slotCount
}

// within checks that nobody has more than its budget.
func (s *storm) within(lives []*life) {
	for _, a := range lives {
		if b := a.store.Stats().Bytes; b > s.plan.memory {
			s.wrong("P4", "%s holds %d bytes, over its budget of %d", a.Name(), b, s.plan.memory)
		}
	}
}

// backedUp tells whether every slot has so many backups.
func backedUp(lives []*life, backups int) bool {
	sum := 0
	for _, a := range lives {
		st := a.Stats()
		if sum += st.SlotsBackedUp; a.inTable() && st.Backups < backups {
			return false
		}
	}
	return sum == slotCount
}

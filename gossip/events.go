package gossip

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Kind says what happened to a member.
type Kind int

// The kinds of events.
const (
	Joined  Kind = iota + 1 // it is a member now
	Updated                 // its metadata changed
	Left                    // it said goodbye
	Failed                  // it stopped answering
)

func (k Kind) String() string {
	switch k {
	case Joined:
		return "joined"
	case Updated:
		return "updated"
	case Left:
		return "left"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Member is another node of the cluster.
type Member struct {
	ID   string
	Addr string // host:port of its gossip
	Meta []byte // what it says about itself; read only
}

// Event is something that happened to a member. For each member the first event
// is Joined; after Left or Failed comes nothing or Joined again.
type Event struct {
	Kind   Kind
	Member Member
}

// members is who is in the cluster, as memberlist last said, and what of that
// OnEvent has not been told. memberlist calls it with its own lock held: here
// nothing waits.
type members struct {
	wake chan struct{} // something is pending

	mu      sync.Mutex // guards all below
	now     map[string]Member
	alone   time.Time // since when now is empty
	entries map[string]*entry
	pending list.List // of *entry, the first changed first
	unsaid  int       // entries that came and went without being told
	meta    []byte    // this node's own, as memberlist has it
	addr    string    // this node's own
}

// entry is what a receiver of events knows of a member and what is new. Its
// news are at most that the member came, that it went, and that it is back.
type entry struct {
	member  Member
	here    bool
	updated bool
	gone    Kind   // Left or Failed, if that is news
	last    Member // as it was when it went
	told    bool   // the receiver knows it as a member
	place   *list.Element
}

// maxUnsaid bounds how many members that have come and gone before anybody was
// told are still announced, to a receiver that does not keep up.
const maxUnsaid = 1024

func newMembers() *members {
	return &members{
		wake: make(chan struct{}, 1), now: make(map[string]Member), alone: time.Now(),
		entries: make(map[string]*entry),
	}
}

func (ms *members) joined(m Member) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.now[m.ID] = m
	e := ms.entry(m.ID)
	if ms.isUnsaid(e) {
		ms.unsaid--
	}
	e.member, e.here, e.updated = m, true, false
	ms.push(e)
}

func (ms *members) updated(m Member) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if _, ok := ms.now[m.ID]; !ok {
		return
	}
	ms.now[m.ID] = m
	e := ms.entry(m.ID)
	e.member, e.updated = m, true
	ms.push(e)
}

func (ms *members) left(m Member, kind Kind) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if _, ok := ms.now[m.ID]; !ok {
		return
	}
	delete(ms.now, m.ID)
	if len(ms.now) == 0 {
		ms.alone = time.Now()
	}
	e := ms.entry(m.ID)
	e.here, e.updated, e.gone, e.last = false, false, kind, m
	if ms.isUnsaid(e) {
		if ms.unsaid >= maxUnsaid {
			ms.forget(e)
			return
		}
		ms.unsaid++
	}
	ms.push(e)
}

// isUnsaid tells whether e is only kept to say that somebody came and went.
func (ms *members) isUnsaid(e *entry) bool { return !e.told && !e.here && e.gone != 0 }

func (ms *members) entry(id string) *entry {
	e := ms.entries[id]
	if e == nil {
		e = &entry{}
		ms.entries[id] = e
	}
	return e
}

func (ms *members) push(e *entry) {
	if e.place == nil {
		e.place = ms.pending.PushBack(e)
	}
	select {
	case ms.wake <- struct{}{}:
	default:
	}
}

func (ms *members) forget(e *entry) {
	delete(ms.entries, e.last.ID)
	if e.place != nil {
		ms.pending.Remove(e.place)
		e.place = nil
	}
}

// next returns the news of the member whose news are the oldest, at most three.
func (ms *members) next() []Event {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for front := ms.pending.Front(); front != nil; front = ms.pending.Front() {
		e := ms.pending.Remove(front).(*entry)
		e.place = nil
		if news := ms.news(e); len(news) > 0 {
			return news
		}
	}
	return nil
}

func (ms *members) news(e *entry) []Event {
	var news []Event
	if e.gone != 0 {
		if ms.isUnsaid(e) {
			ms.unsaid--
		}
		if !e.told {
			news = append(news, Event{Kind: Joined, Member: e.last})
		}
		news = append(news, Event{Kind: e.gone, Member: e.last})
		e.told, e.gone = false, 0
	}
	switch {
	case !e.here:
		delete(ms.entries, e.last.ID)
	case !e.told:
		news = append(news, Event{Kind: Joined, Member: e.member})
		e.told = true
	case e.updated:
		news = append(news, Event{Kind: Updated, Member: e.member})
	}
	e.updated = false
	return news
}

// list returns the members, sorted by ID.
func (ms *members) list() []Member {
	ms.mu.Lock()
	all := make([]Member, 0, len(ms.now))
	for _, m := range ms.now {
		all = append(all, m)
	}
	ms.mu.Unlock()
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (ms *members) count() int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return len(ms.now)
}

// at tells whether a member is at addr.
func (ms *members) at(addr string) bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, m := range ms.now {
		if m.Addr == addr {
			return true
		}
	}
	return false
}

// aloneFor returns how long there has been nobody else.
func (ms *members) aloneFor() time.Duration {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if len(ms.now) > 0 {
		return 0
	}
	return time.Since(ms.alone)
}

func (ms *members) setSelf(addr string, meta []byte) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.addr, ms.meta = addr, meta
}

func (ms *members) self() (addr string, meta []byte) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.addr, ms.meta
}

// deliverEvents tells OnEvent what happens, until the node is closed.
func (g *Gossip) deliverEvents() {
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.members.wake:
		}
		for news := g.members.next(); news != nil; news = g.members.next() {
			for _, e := range news {
				if g.ctx.Err() != nil {
					return
				}
				if g.cfg.OnEvent != nil {
					g.cfg.OnEvent(e)
				}
			}
		}
	}
}

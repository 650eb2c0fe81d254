package cluster

import (
	"sync"
	"time"
)

// EventKind says what an Event is.
type EventKind uint8

const (
	// MemberJoined: a member has been heard of.
	MemberJoined EventKind = iota + 1
	// MemberLeft: a member has left in order, having handed over.
	MemberLeft
	// MemberFailed: a member does not answer any longer.
	MemberFailed
)

func (k EventKind) String() string {
	switch k {
	case MemberJoined:
		return "joined"
	case MemberLeft:
		return "left"
	case MemberFailed:
		return "failed"
	}
	return "unknown"
}

// Event is something that happened to another member.
type Event struct {
	Kind EventKind
	Name string
	Peer string // its address for other nodes
	Time time.Time
}

// maxEvents is how many events a listener may be behind; older ones are left
// out then.
const maxEvents = 256

// events hands events to those who listen.
type events struct {
	mu        sync.Mutex // guards what follows
	listeners map[chan Event]bool
	closed    bool
}

func newEvents() *events { return &events{listeners: make(map[chan Event]bool)} }

func (e *events) joined(r *record) { e.tell(MemberJoined, r) }

func (e *events) departed(r *record, inOrder bool) {
	if inOrder {
		e.tell(MemberLeft, r)
	} else {
		e.tell(MemberFailed, r)
	}
}

func (e *events) tell(kind EventKind, r *record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ev := Event{Kind: kind, Name: r.Name, Peer: r.Peer, Time: time.Now()}
	for ch := range e.listeners {
		select {
		case ch <- ev:
			continue
		default:
		}
		select {
		case <-ch: // the oldest
		default:
		}
		select {
		case ch <- ev:
		default:
		}
	}
}

func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for ch := range e.listeners {
		close(ch)
	}
	clear(e.listeners)
}

// Events returns a channel of what happens to the other members from now on,
// and a function that ends it. The channel is closed by that, or with the node.
// A listener that is more than 256 events behind misses the oldest.
func (n *Node) Events() (<-chan Event, func()) {
	e := n.events
	ch := make(chan Event, maxEvents)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		close(ch)
		return ch, func() {}
	}
	e.listeners[ch] = true
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.listeners[ch] {
			delete(e.listeners, ch)
			close(ch)
		}
	}
}

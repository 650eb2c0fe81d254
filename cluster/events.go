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
	// HandedOver: all slots that this node has lost to others are served there.
	HandedOver
)

func (k EventKind) String() string {
	switch k {
	case MemberJoined:
		return "joined"
	case MemberLeft:
		return "left"
	case MemberFailed:
		return "failed"
	case HandedOver:
		return "handed over"
	}
	return "unknown"
}

// Event is something that happened to another member, or between it and this
// node.
type Event struct {
	Kind  EventKind
	Name  string // of the member; with HandedOver empty
	Peer  string // its address for other nodes
	Slots int    // with HandedOver: how many
	Time  time.Time
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

func (e *events) joined(r *record) {
	e.tell(Event{Kind: MemberJoined, Name: r.Name, Peer: r.Peer})
}

func (e *events) departed(r *record, inOrder bool) {
	kind := MemberFailed
	if inOrder {
		kind = MemberLeft
	}
	e.tell(Event{Kind: kind, Name: r.Name, Peer: r.Peer})
}

// tell does not wait: it may be called with any lock held.
func (e *events) tell(ev Event) {
	ev.Time = time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
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

// Events returns a channel of what happens from now on, and a function that
// ends it. The channel is closed by that, or with the node.
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

package gossip

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

// Errors of Broadcast, to be used with errors.Is.
var (
	ErrClosed     = errors.New("gossip: closed")
	ErrTooLarge   = errors.New("gossip: message is too large")
	ErrOverloaded = errors.New("gossip: too many large messages are under way")
)

// The bounds of what is kept for broadcasts.
const (
	maxQueued     = 256      // messages that travel with the gossip
	maxHops       = 16       // times that one is passed on
	maxLarge      = 64       // large messages under way,
	maxLargeBytes = 16 << 20 // their bytes,
	maxSending    = 8        // and streams that carry them at once
	maxInbox      = 256      // messages that OnMessage has not been told
	maxInboxBytes = 16 << 20
	maxSeen       = 4096 // messages that are known when they come again
)

// castID names a broadcast: who sent it and which one it is.
type castID [16]byte

// A broadcast is one byte of version, one that says how often it may still be
// passed on, its id, and what the application said.
const (
	castVersion = 1
	castHeader  = 2 + len(castID{})
)

func encodeCast(hops byte, id castID, msg []byte) []byte {
	b := make([]byte, 0, castHeader+len(msg))
	b = append(b, castVersion, hops)
	b = append(b, id[:]...)
	return append(b, msg...)
}

// decodeCast reads what a peer sent. msg is a part of b.
func decodeCast(b []byte) (hops byte, id castID, msg []byte, err error) {
	if len(b) < castHeader {
		return 0, id, nil, fmt.Errorf("gossip: broadcast of %d bytes is shorter than its header of %d", len(b), castHeader)
	}
	if b[0] != castVersion {
		return 0, id, nil, fmt.Errorf("gossip: broadcast has version %d, not %d", b[0], castVersion)
	}
	if n := len(b) - castHeader; n > MaxBroadcast {
		return 0, id, nil, fmt.Errorf("gossip: broadcast of %d bytes is over the limit of %d", n, MaxBroadcast)
	}
	copy(id[:], b[2:])
	return min(b[1], maxHops), id, b[castHeader:], nil
}

// caster has the broadcasts: those queued for packets, those being sent by
// stream, and those received.
type caster struct {
	queue  memberlist.TransmitLimitedQueue
	limit  int // bytes of an encoded broadcast that still go into a packet
	origin [8]byte
	count  atomic.Uint64
	debug  func(msg string, args ...any)

	wake chan struct{} // inbox has something

	mu         sync.Mutex // guards all below
	seen       recent
	inbox      [][]byte
	inboxBytes int
	jobs       []largeJob
	large      int
	largeBytes int
	sending    int
}

// largeJob is a large message on its way to one member.
type largeJob struct {
	to  memberlist.Node
	msg *largeMessage
}

type largeMessage struct {
	b    []byte
	left int // members it has yet to be sent to, guarded by caster.mu
}

func newCaster(roomInPacket, retransmitMult int, nodes func() int, debug func(string, ...any)) *caster {
	c := &caster{limit: roomInPacket - messageFraming, debug: debug, wake: make(chan struct{}, 1)}
	c.queue.NumNodes = nodes
	c.queue.RetransmitMult = retransmitMult
	_, _ = rand.Read(c.origin[:]) // does not fail
	return c
}

// packetCast is a broadcast in memberlist's queue.
type packetCast []byte

var _ memberlist.UniqueBroadcast = packetCast(nil)

func (b packetCast) Invalidates(memberlist.Broadcast) bool { return false }
func (b packetCast) Message() []byte                       { return b }
func (b packetCast) Finished()                             {}
func (b packetCast) UniqueBroadcast()                      {}

// Broadcast tells msg to all other members. It does not wait for them. A message
// of up to about 1300 bytes goes with the gossip and takes some tenths of a
// second; a larger one, at most MaxBroadcast (ErrTooLarge), is sent to each
// member that is known now. Most members get it, never surely all; when
// more is said than can be sent, the oldest small messages are dropped, and large
// ones refused (ErrOverloaded). It may be called from several goroutines.
func (g *Gossip) Broadcast(msg []byte) error {
	if g.ctx.Err() != nil {
		return ErrClosed
	}
	if len(msg) > MaxBroadcast {
		return fmt.Errorf("%w: %d bytes are over the limit of %d", ErrTooLarge, len(msg), MaxBroadcast)
	}
	c := g.casts
	id := c.newID()
	if castHeader+len(msg) <= c.limit {
		c.enqueue(encodeCast(maxHops, id, msg))
		return nil
	}
	return g.sendLarge(encodeCast(0, id, msg))
}

func (c *caster) newID() castID {
	var id castID
	copy(id[:], c.origin[:])
	binary.BigEndian.PutUint64(id[8:], c.count.Add(1))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.add(id) // it comes back to its origin too
	return id
}

func (c *caster) enqueue(b []byte) {
	c.queue.QueueBroadcast(packetCast(b))
	c.queue.Prune(maxQueued) // panics on a queue that has never had anything
}

// receive takes a broadcast from a peer, which it keeps.
func (c *caster) receive(b []byte) {
	hops, id, msg, err := decodeCast(b)
	if err != nil {
		c.debug("gossip: a broadcast is not understood", "err", err)
		return
	}
	c.mu.Lock()
	if !c.seen.add(id) {
		c.mu.Unlock()
		return
	}
	full := len(c.inbox) >= maxInbox || c.inboxBytes+len(msg) > maxInboxBytes
	if !full {
		c.inbox = append(c.inbox, msg)
		c.inboxBytes += len(msg)
	}
	c.mu.Unlock()
	if full {
		c.debug("gossip: a broadcast is dropped, OnMessage does not keep up", "bytes", len(msg))
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	if hops > 0 && len(b) <= c.limit {
		b = bytes.Clone(b) // msg belongs to the application now
		b[1] = hops - 1
		c.enqueue(b)
	}
}

func (c *caster) next() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.inbox) == 0 {
		c.inbox = nil
		return nil, false
	}
	msg := c.inbox[0]
	c.inbox[0] = nil
	c.inbox = c.inbox[1:]
	c.inboxBytes -= len(msg)
	return msg, true
}

// deliverMessages gives OnMessage what was received, until the node is closed.
func (g *Gossip) deliverMessages() {
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.casts.wake:
		}
		for g.ctx.Err() == nil {
			msg, ok := g.casts.next()
			if !ok {
				break
			}
			if g.cfg.OnMessage != nil {
				g.cfg.OnMessage(msg)
			}
		}
	}
}

// recent remembers the last maxSeen ids.
type recent struct {
	known map[castID]struct{}
	ring  []castID
	at    int
}

// add tells whether id is new.
func (r *recent) add(id castID) bool {
	if _, ok := r.known[id]; ok {
		return false
	}
	if r.known == nil {
		r.known = make(map[castID]struct{})
	}
	if len(r.ring) < maxSeen {
		r.ring = append(r.ring, id)
	} else {
		delete(r.known, r.ring[r.at])
		r.ring[r.at] = id
		r.at = (r.at + 1) % maxSeen
	}
	r.known[id] = struct{}{}
	return true
}

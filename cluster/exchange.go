package cluster

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// Two nodes whose tables differ tell each other all they know of the members
// (missing.go: those who are away, too) and of the caches' generations.

const (
	maxRecords = 4096
	// tellFor is how long the answer to an exchange, or to a meeting, is waited for,
	// however little time calls have.
	tellFor = 2 * time.Second
)

// whole is what a node knows, for an exchange.
func (n *Node) whole() []byte {
	list := n.members.records()
	b := binary.AppendUvarint(nil, uint64(len(list)))
	for i := range list {
		b = list[i].append(b)
	}
	b = n.caches.appendGenerations(b, n.caches.Append(nil))
	return n.members.appendMissing(b)
}

// takeWhole takes in what another node knows, the first record its own.
func (n *Node) takeWhole(body []byte) error {
	d := decoder{b: body}
	count := d.count(14)
	if count > maxRecords {
		return errShort
	}
	list := make([]record, count)
	for i := range list {
		list[i] = d.record()
	}
	gens := n.caches.decodeGenerations(&d)
	missing := d.missing(n.clock.now())
	if err := d.err(); err != nil {
		return err
	}
	for _, g := range gens {
		n.caches.Merge(g.Cache, g.Generation)
	}
	if count > 0 {
		n.members.learn(fromItself, list[0])
		n.members.learn(fromOthers, list[1:]...)
	}
	n.members.missToo(missing)
	n.merged.Store(true)
	return nil
}

// onMembers answers an exchange.
func (n *Node) onMembers(body []byte) ([]byte, error) {
	if err := n.takeWhole(body); err != nil {
		return nil, err
	}
	return n.whole(), nil
}

// exchange asks a member for all it knows.
func (n *Node) exchange(ctx context.Context, l *link) error {
	b, err := l.call(ctx, kindMembers, n.whole(), tellFor)
	if err != nil {
		return err
	}
	return n.takeWhole(b)
}

// exchangePause is the least time between two exchanges with one member.
const exchangePause = 10 * time.Millisecond

// exchangeSoon starts an exchange with a member, unless one is under way or
// just was.
func (n *Node) exchangeSoon(m protocol.Member) {
	l := n.members.link(m)
	if l == nil || !l.exchanging.CompareAndSwap(false, true) {
		return
	}
	started := n.spawn(func(ctx context.Context) { // ends after one exchange
		defer l.exchanging.Store(false)
		if err := n.exchange(ctx, l); err != nil {
			n.log.Debug("cluster: exchange of members failed", "member", l.name, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(exchangePause):
		}
	})
	if !started {
		l.exchanging.Store(false)
	}
}

package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

const (
	flagLease = 1 << iota
	flagLoaded
	flagNoLoader
)

// keptBuffer is the longest buffer that is kept.
const keptBuffer = 64 << 10

// buffers are for encoding what is copied before the call returns.
type buffers struct{ pool sync.Pool }

func (p *buffers) take() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (p *buffers) give(b *[]byte) {
	if cap(*b) <= keptBuffer {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}

// reply answers a request of another member.
func (n *Node) reply(c *wire.Conn, id uint32, a *protocol.Answer) {
	buf := n.buffers.take()
	*buf = n.appendAnswer(*buf, a)
	if a.Status == protocol.Written && c.PeerVersion().Minor >= minorVersions {
		*buf = binary.AppendUvarint(*buf, a.Version)
	}
	n.replyWith(c, id, *buf)
	n.buffers.give(buf)
}

// replyWith sends an answer. Where that fails the connection is at its end, or
// its queue is: the asker's deadline says so to it.
func (n *Node) replyWith(c *wire.Conn, id uint32, body []byte) {
	if err := c.Reply(id, body); err != nil {
		n.counts.dropped.Add(1)
		n.log.Debug("cluster: answer dropped", "err", err)
	}
}

func (n *Node) appendAnswer(b []byte, a *protocol.Answer) []byte {
	flags := byte(0)
	if a.Lease {
		flags |= flagLease
	}
	if a.Loaded {
		flags |= flagLoaded
	}
	if errors.Is(a.Err, errNoLoader) {
		flags |= flagNoLoader
	}
	b = append(b, byte(a.Status), flags)
	switch a.Status {
	case protocol.Found:
		b = binary.AppendUvarint(b, a.Version)
		b = binary.AppendUvarint(b, a.Count)
		b = appendDuration(b, a.Left)
		b = appendGeneration(b, a.Generation)
		b = append(b, a.Value...)
	case protocol.Missing:
		b = appendGeneration(b, a.Generation)
	case protocol.Partial:
		b = binary.AppendUvarint(b, uint64(len(a.Unconfirmed)))
		for _, m := range a.Unconfirmed {
			b = binary.BigEndian.AppendUint64(b, uint64(m))
		}
	case protocol.NotMine:
		b = binary.BigEndian.AppendUint64(b, n.members.view.Load().table.Digest)
	case protocol.Failed:
		if a.Err != nil {
			b = append(b, a.Err.Error()...)
		}
	}
	return b
}

// remoteError is a failure that another member has told in words.
type remoteError string

func (e remoteError) Error() string { return string(e) }

// decodeAnswer is the opposite, into an answer with nothing in it. The value shares the
// bytes of b. digest is the sender's table with NotMine.
func decodeAnswer(b []byte, a *protocol.Answer) (digest uint64, err error) {
	d := decoder{b: b}
	a.Status = protocol.Status(d.byte())
	flags := d.byte()
	a.Lease, a.Loaded = flags&flagLease != 0, flags&flagLoaded != 0
	switch a.Status {
	case protocol.Found:
		a.Version = d.version()
		a.Count = d.uvarint()
		a.Left = d.duration()
		a.Generation = d.generation()
		a.Value, d.b = d.b, nil
	case protocol.Missing:
		a.Generation = d.generation()
	case protocol.Partial:
		for range d.count(8) {
			a.Unconfirmed = append(a.Unconfirmed, protocol.Member(d.uint64()))
		}
	case protocol.NotMine:
		digest = d.uint64()
	case protocol.Failed:
		a.Err = remoteError(d.b)
		if flags&flagNoLoader != 0 {
			a.Err = errNoLoader
		}
		d.b = nil
	case protocol.Written:
		if len(d.b) > 0 {
			a.Version = d.version()
		}
	case protocol.NotExecuted, protocol.Unavailable, protocol.Overloaded, protocol.Fenced:
	default:
		d.fail()
	}
	if err := d.err(); err != nil {
		err = fmt.Errorf("answer of status %d: %w", a.Status, err)
		*a = protocol.Answer{}
		return 0, err
	}
	return digest, nil
}

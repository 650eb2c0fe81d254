package cluster

import (
	"encoding/binary"
	"errors"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// How the protocol's messages travel. A cache goes by its name, since its
// number is each node's own.

const (
	flagLarge  = 1 // of a grant
	flagUrgent = 1 // of a held
)

// appendMessage encodes m with its length before it, so that one that is not
// understood can be passed over.
func (r *registry) appendMessage(b []byte, m *protocol.Message) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = append(b, byte(m.Kind))
	switch m.Kind {
	case protocol.Take:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.AppendUvarint(b, m.Nonce)
		b = binary.BigEndian.AppendUint64(b, m.Digest)
		b = binary.BigEndian.AppendUint64(b, m.Clears)
		b = binary.AppendUvarint(b, m.Taken)
		b = appendDigest(b, m.Have)
	case protocol.Grant:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.AppendUvarint(b, m.Nonce)
		b = binary.BigEndian.AppendUint64(b, m.Digest)
		b = r.appendGrant(b, m)
	case protocol.Done:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.BigEndian.AppendUint64(b, m.Digest)
		b = appendTerm(b, m.Term)
	case protocol.Held:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.BigEndian.AppendUint64(b, m.Digest)
		flags := byte(0)
		if m.Urgent {
			flags |= flagUrgent
		}
		b = append(b, flags)
	case protocol.Revoke, protocol.Revoked:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.AppendUvarint(b, m.Nonce)
		b = r.appendRef(b, m.Ref)
	case protocol.Stage:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = r.appendRef(b, m.Ref)
		b = r.appendItems(b, m.Content)
	case protocol.Sync:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.AppendUvarint(b, m.Nonce)
		b = binary.BigEndian.AppendUint64(b, m.Digest)
		b = r.appendCopy(b, m)
	case protocol.Synced:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.AppendUvarint(b, m.Nonce)
		b = appendTerm(b, m.Term)
		b = binary.AppendUvarint(b, m.Known)
	case protocol.Replicate, protocol.Replicated:
		b = binary.AppendUvarint(b, uint64(m.Slot))
		b = binary.AppendUvarint(b, m.Nonce)
		b = appendTerm(b, m.Term)
		b = r.appendRef(b, m.Ref)
		if m.Kind == protocol.Replicate {
			b = binary.AppendUvarint(b, m.Known)
			b = binary.AppendUvarint(b, m.Version)
			b = r.appendItems(b, m.Content)
		}
	case protocol.Clear, protocol.Cleared, protocol.Forget:
		b = binary.AppendUvarint(b, m.Nonce)
		b = appendString(b, r.numbered(m.Ref.Cache).name)
		b = appendGeneration(b, m.Generation)
		if m.Kind == protocol.Cleared {
			b = binary.AppendUvarint(b, m.Prior)
			b = appendMembers(b, m.Members)
			b = binary.BigEndian.AppendUint64(b, m.Digest)
			b = appendDuration(b, m.Wait)
		}
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// decodeMessage is the opposite, of what follows the length. What it returns
// shares no bytes with b. ok is false for a kind that is not known.
func (r *registry) decodeMessage(b []byte) (m protocol.Message, ok bool, err error) {
	d := decoder{b: b}
	m.Kind = protocol.Kind(d.byte())
	switch m.Kind {
	case protocol.Take:
		m.Slot = d.slot()
		m.Nonce = d.uvarint()
		m.Digest = d.uint64()
		m.Clears = d.uint64()
		m.Taken = d.uvarint()
		m.Have = d.digest()
	case protocol.Grant:
		m.Slot = d.slot()
		m.Nonce = d.uvarint()
		m.Digest = d.uint64()
		r.decodeGrant(&d, &m)
	case protocol.Done:
		m.Slot = d.slot()
		m.Digest = d.uint64()
		m.Term = d.term()
	case protocol.Held:
		m.Slot = d.slot()
		m.Digest = d.uint64()
		m.Urgent = d.byte()&flagUrgent != 0
	case protocol.Revoke, protocol.Revoked:
		m.Slot = d.slot()
		m.Nonce = d.uvarint()
		m.Ref = r.decodeRef(&d)
	case protocol.Stage:
		m.Slot = d.slot()
		m.Ref = r.decodeRef(&d)
		m.Content = r.decodeItems(&d)
	case protocol.Sync:
		m.Slot = d.slot()
		m.Nonce = d.uvarint()
		m.Digest = d.uint64()
		r.decodeCopy(&d, &m)
	case protocol.Synced:
		m.Slot = d.slot()
		m.Nonce = d.uvarint()
		m.Term = d.term()
		m.Known = d.uvarint()
	case protocol.Replicate, protocol.Replicated:
		m.Slot = d.slot()
		m.Nonce = d.uvarint()
		m.Term = d.term()
		m.Ref = r.decodeRef(&d)
		if m.Kind == protocol.Replicate {
			m.Known = d.uvarint()
			m.Version = d.version()
			m.Content = r.decodeItems(&d)
		}
	case protocol.Forget:
		m.Nonce = d.uvarint()
		s := r.find(string(d.bytes()))
		if s == nil {
			return m, false, d.err() // nothing is known of it
		}
		m.Ref.Cache = s.number
		m.Generation = d.generation()
	case protocol.Clear, protocol.Cleared:
		m.Nonce = d.uvarint()
		if s, err := r.space(d.bytes()); err == nil {
			m.Ref.Cache = s.number
		} else {
			d.fail()
		}
		m.Generation = d.generation()
		if m.Kind == protocol.Cleared {
			m.Prior = d.uvarint()
			m.Members = d.members()
			m.Digest = d.uint64()
			m.Wait = min(d.duration(), maxWait)
		}
	default:
		return m, false, nil
	}
	return m, true, d.err()
}

func (r *registry) appendGrant(b []byte, m *protocol.Message) []byte {
	b = binary.AppendUvarint(b, m.Made)
	b = binary.AppendUvarint(b, uint64(len(m.Spends)))
	for _, s := range m.Spends {
		b = binary.BigEndian.AppendUint64(b, uint64(s.To))
		b = binary.AppendUvarint(b, s.Nonce)
		b = binary.AppendUvarint(b, s.First)
		b = appendMembers(b, s.Backups)
	}
	b = binary.AppendUvarint(b, m.Taken)
	b = binary.AppendUvarint(b, m.Known)
	b = binary.AppendUvarint(b, m.Backed)
	return r.appendCopy(b, m)
}

func (r *registry) decodeGrant(d *decoder, m *protocol.Message) {
	m.Made = d.uvarint()
	for range d.count(11) {
		s := protocol.Spend{To: protocol.Member(d.uint64()), Nonce: d.uvarint(), First: d.uvarint()}
		s.Backups = d.members()
		m.Spends = append(m.Spends, s)
	}
	m.Taken = d.uvarint()
	m.Known = d.uvarint()
	m.Backed = d.uvarint()
	r.decodeCopy(d, m)
}

// appendCopy encodes what grants and syncs say of a copy of a slot.
func (r *registry) appendCopy(b []byte, m *protocol.Message) []byte {
	flags := byte(0)
	if m.Large {
		flags |= flagLarge
	}
	b = append(b, flags)
	b = appendTerm(b, m.Term)
	b = appendDigest(b, m.Have)
	b = binary.AppendUvarint(b, m.Floor)
	b = binary.AppendUvarint(b, m.Version)
	b = r.appendGenerations(b, m.Generations)
	b = r.appendItems(b, m.Content)
	return appendDuration(b, m.Wait)
}

func (r *registry) decodeCopy(d *decoder, m *protocol.Message) {
	m.Large = d.byte()&flagLarge != 0
	m.Term = d.term()
	m.Have = d.digest()
	m.Floor = d.version()
	m.Version = d.version()
	m.Generations = r.decodeGenerations(d)
	m.Content = r.decodeItems(d)
	m.Wait = min(d.duration(), maxWait)
}

// maxWait is the longest time for which another node can make this one wait for
// members that it has taken out.
const maxWait = 2 * FenceFor

func (r *registry) appendGenerations(b []byte, list []protocol.CacheGeneration) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, g := range list {
		b = appendString(b, r.numbered(g.Cache).name)
		b = appendGeneration(b, g.Generation)
	}
	return b
}

func (r *registry) decodeGenerations(d *decoder) []protocol.CacheGeneration {
	n := d.count(10)
	list := make([]protocol.CacheGeneration, 0, n)
	for range n {
		s, err := r.space(d.bytes())
		g := d.generation()
		switch {
		case errors.Is(err, ErrTooManyCaches): // there are no entries of it here
		case err != nil:
			d.fail()
			return nil
		default:
			list = append(list, protocol.CacheGeneration{Cache: s.number, Generation: g})
		}
	}
	return list
}

func (d *decoder) slot() int {
	s := d.uvarint()
	if s >= slotCount {
		d.fail()
		return 0
	}
	return int(s)
}

func appendDigest(b []byte, h cache.Digest) []byte {
	b = binary.AppendUvarint(b, uint64(h.Count))
	return binary.BigEndian.AppendUint64(b, h.Sum)
}

func (d *decoder) digest() cache.Digest {
	return cache.Digest{Count: uint32(d.uvarint()), Sum: d.uint64()}
}

func appendMembers(b []byte, list []protocol.Member) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, id := range list {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
	}
	return b
}

func (d *decoder) members() (list []protocol.Member) {
	for range d.count(8) {
		list = append(list, protocol.Member(d.uint64()))
	}
	return list
}

func appendTerm(b []byte, t protocol.Term) []byte {
	b = binary.AppendUvarint(b, t.Count)
	return binary.BigEndian.AppendUint64(b, uint64(t.Raiser))
}

func (d *decoder) term() protocol.Term {
	return protocol.Term{Count: d.uvarint(), Raiser: protocol.Member(d.uint64())}
}

func appendGeneration(b []byte, g protocol.Generation) []byte {
	b = binary.AppendUvarint(b, g.Count)
	return binary.BigEndian.AppendUint64(b, uint64(g.Raiser))
}

func (d *decoder) generation() protocol.Generation {
	return protocol.Generation{Count: d.uvarint(), Raiser: protocol.Member(d.uint64())}
}

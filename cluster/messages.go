package cluster

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// How the protocol's messages travel. A cache goes by its name, since its
// number is each node's own.

const (
	flagLarge  = 1 // of a grant
	flagUrgent = 1 // of a held
)

// itemOverhead is about what an item takes besides key and value.
const itemOverhead = 40

const (
	itemTombstone = 1 << iota
	itemNegative
	itemShort
	// itemMore says that bytes of a later version follow, after their length.
	itemMore
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
	case protocol.Clear, protocol.Cleared:
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

// An item says how old its cache's name is only once in a row of the same
// cache: an empty name is the one before.
func (r *registry) appendItems(b []byte, items []protocol.Item) []byte {
	size := 0
	for i := range items {
		size += len(items[i].Ref.Key) + len(items[i].Value) + itemOverhead
	}
	b = slices.Grow(b, size)
	b = binary.AppendUvarint(b, uint64(len(items)))
	for i := range items {
		same := i > 0 && items[i].Ref.Cache == items[i-1].Ref.Cache
		b = r.appendItem(b, &items[i], same)
	}
	return b
}

func (r *registry) appendItem(b []byte, it *protocol.Item, same bool) []byte {
	name := ""
	if !same {
		name = r.numbered(it.Ref.Cache).name
	}
	b = appendString(b, name)
	b = appendString(b, it.Ref.Key)
	flags := byte(0)
	if it.Tombstone {
		flags |= itemTombstone
	}
	if it.Negative {
		flags |= itemNegative
	}
	if it.Short {
		flags |= itemShort
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, it.Version)
	b = binary.AppendUvarint(b, it.Count)
	b = appendDuration(b, it.Left)
	return appendBytes(b, it.Value)
}

func (r *registry) decodeItems(d *decoder) []protocol.Item {
	n := d.count(7)
	if n == 0 {
		return nil
	}
	items := make([]protocol.Item, 0, n)
	var s *space
	for range n {
		var it protocol.Item
		if s = r.decodeItem(d, &it, s); d.bad {
			return nil
		}
		if s.name != "" {
			items = append(items, it)
		}
	}
	return items
}

// decodeItem reads an item; last is the cache of the one before. Of a cache that
// there is no place for it returns one without a name: nobody can read it here.
func (r *registry) decodeItem(d *decoder, it *protocol.Item, last *space) *space {
	s := last
	if name := d.bytes(); len(name) > 0 {
		var err error
		s, err = r.space(name)
		switch {
		case errors.Is(err, ErrTooManyCaches):
			s = &space{}
		case err != nil:
			d.fail()
		}
	}
	it.Ref = d.refOf(s)
	flags := d.byte()
	it.Tombstone, it.Negative, it.Short = flags&itemTombstone != 0, flags&itemNegative != 0, flags&itemShort != 0
	it.Version = d.version()
	it.Count = d.uvarint()
	it.Left = d.duration()
	it.Value = append([]byte(nil), d.bytes()...)
	if flags&itemMore != 0 {
		d.bytes()
	}
	return s
}

func (r *registry) appendRef(b []byte, ref cache.Ref) []byte {
	b = appendString(b, r.numbered(ref.Cache).name)
	return appendString(b, ref.Key)
}

func (r *registry) decodeRef(d *decoder) cache.Ref {
	s, err := r.space(d.bytes())
	if err != nil {
		d.fail()
	}
	return d.refOf(s)
}

// refOf reads a key of the cache s.
func (d *decoder) refOf(s *space) cache.Ref {
	key := d.bytes()
	if s == nil || len(key) == 0 || len(key) > MaxKey {
		d.fail()
		return cache.Ref{}
	}
	k := string(key)
	return cache.Ref{Hash: s.hasher.hash(k), Cache: s.number, Key: k}
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

package cluster

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
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

// An item says the name of its cache only once in a row of the same
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

package cluster

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/peercache/peercache/internal/protocol"
	"github.com/peercache/peercache/internal/wire"
)

// spoken is the version of what nodes say to each other. Those of another major
// version do not become members of one cluster.
var spoken = wire.Version{Major: 1, Minor: minorVersions}

// minorVersions is the first minor version in which answers to writes name the version
// that was written, members tell each other whom they miss and seek, and a clear ends
// with a Forget.
const minorVersions = 1

// state is how far a member has come in its life. It only ever grows.
type state uint8

const (
	joining state = iota + 1 // copies ahead; owns nothing
	active                   // owns its share
	leaving                  // owns nothing any more, holds copies until others have them
	left                     // gone in order
)

// record is what members tell each other about a member.
type record struct {
	Speaks wire.Version
	ID     protocol.Member
	State  state
	Name   string
	Gossip string // host:port
	Peer   string // host:port
	Near   time.Duration
	// Backups is how many copies the member wants beside the owner's.
	Backups uint8
	// Seeks: not all whom the member's Join names have been found (missing.go).
	Seeks bool
}

// inTable tells whether the member is one that a take asks.
func (r *record) inTable() bool { return r.State == active || r.State == leaving }

const maxRecord = 512

// append writes a record with its length before it, so that a later version may
// say more of a member than this one knows.
func (r *record) append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0)
	b = binary.AppendUvarint(b, uint64(r.Speaks.Major))
	b = binary.AppendUvarint(b, uint64(r.Speaks.Minor))
	b = binary.BigEndian.AppendUint64(b, uint64(r.ID))
	b = append(b, byte(r.State))
	b = appendString(b, r.Name)
	b = appendString(b, r.Gossip)
	b = appendString(b, r.Peer)
	b = appendDuration(b, r.Near)
	b = append(b, r.Backups)
	if r.Seeks {
		b = append(b, 1)
	}
	binary.BigEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	return b
}

// record reads a record. Of one of another major version it knows only that.
func (d *decoder) record() record {
	if len(d.b) < 2 {
		d.fail()
		return record{}
	}
	n := int(binary.BigEndian.Uint16(d.b))
	if d.b = d.b[2:]; n > len(d.b) {
		d.fail()
		return record{}
	}
	own := decoder{b: d.b[:n]}
	d.b = d.b[n:]
	r := own.fields()
	if own.bad {
		d.fail()
	}
	return r
}

func (d *decoder) fields() record {
	var r record
	r.Speaks = d.spoken()
	if r.Speaks.Major != spoken.Major {
		return r
	}
	r.ID, r.State = protocol.Member(d.uint64()), state(d.byte())
	r.Name, r.Gossip, r.Peer = d.string(), d.string(), d.string()
	r.Near = d.duration()
	r.Backups = d.byte()
	r.Seeks = len(d.b) > 0 && d.byte() == 1
	if r.ID == 0 || r.State < joining || r.State > left || r.Name == "" || len(r.Name) > maxName || r.Near > MaxNearTTL || r.Backups > MaxBackups {
		d.fail()
	}
	return r
}

func (d *decoder) spoken() wire.Version {
	major, minor := d.uvarint(), d.uvarint()
	if major > 255 || minor > 255 {
		d.fail()
	}
	return wire.Version{Major: uint8(major), Minor: uint8(minor)}
}

// digestOf stands for name, incarnation and state of the members of a table,
// which it sorts.
func digestOf(members []record) uint64 {
	slices.SortFunc(members, func(a, b record) int {
		if c := cmp.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
	var buf []byte
	for i := range members {
		m := &members[i]
		buf = appendString(buf, m.Name)
		buf = binary.BigEndian.AppendUint64(buf, uint64(m.ID))
		buf = append(buf, byte(m.State))
	}
	return xxhash.Sum64(buf)
}

package cluster

import (
	"encoding/binary"
	"errors"
	"time"
	"unsafe"
)

// Integers on the wire are unsigned varints, or 8 bytes big endian where they
// are random. Strings have their length before them. Durations are in
// microseconds, rounded up, so that what is not over does not become "for ever".
// A later minor version may say more at the end of a message, of a record and of
// an item.

var errShort = errors.New("cluster: message is malformed")

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBytes(b, s []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendDuration(b []byte, d time.Duration) []byte {
	return binary.AppendUvarint(b, uint64((max(d, 0)+time.Microsecond-1)/time.Microsecond))
}

// decoder reads from bytes that may be anything. After the first error all its
// results are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() {
	d.b, d.bad = nil, true
}

// err tells whether what was read is what it must be. What a later minor version
// adds behind it is passed over.
func (d *decoder) err() error {
	if d.bad {
		return errShort
	}
	return nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	x := d.b[0]
	d.b = d.b[1:]
	return x
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return x
}

// version reads a version of an entry. One above maxVersion is no clock's.
func (d *decoder) version() uint64 {
	v := d.uvarint()
	if v > maxVersion {
		d.fail()
		return 0
	}
	return v
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	x := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return x
}

// bytes returns a part of what is decoded, not a copy.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	x := d.b[:n:n]
	d.b = d.b[n:]
	return x
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) duration() time.Duration {
	us := d.uvarint()
	if us > uint64(1<<62/time.Microsecond) {
		d.fail()
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// count reads how many things follow that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// asString returns b as a string that shares its bytes: valid while they are.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

package main

import (
	"encoding/binary"
	"fmt"
)

const (
	keyLen  = 64 // bytes
	headLen = 16 // of a value: the entry's number, and which write of it this is
)

// dataset is the entries, by number. Each process can tell what any value has
// to be.
type dataset struct {
	Entries  int `json:"entries"`
	MinValue int `json:"min_value"` // bytes
	MaxValue int `json:"max_value"` // bytes
}

func (d dataset) key(i int) string { return fmt.Sprintf("%0*x", keyLen, mix(uint64(i))) }

func (d dataset) size(i int) int {
	return d.MinValue + int(mix(uint64(i)^0xabcdef)%uint64(d.MaxValue-d.MinValue+1))
}

// bytes is what keys and values take together, about.
func (d dataset) bytes() float64 { return float64(d.Entries) * d.meanEntry() }

func (d dataset) meanEntry() float64 { return keyLen + float64(d.MinValue+d.MaxValue)/2 }

// value makes the value that the write of that number gives an entry.
func (d dataset) value(i int, write uint64) []byte {
	v := make([]byte, d.size(i))
	binary.BigEndian.PutUint64(v, uint64(i))
	binary.BigEndian.PutUint64(v[8:], write)
	x := mix(uint64(i)<<20 ^ write)
	for rest := v[headLen:]; len(rest) > 0; {
		x = x*6364136223846793005 + 1442695040888963407
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], x)
		rest = rest[copy(rest, word[:]):]
	}
	return v
}

// read returns which write of an entry made a value, and whether it is whole.
func (d dataset) read(i int, v []byte) (write uint64, err error) {
	if len(v) != d.size(i) {
		return 0, fmt.Errorf("a value of %d bytes, not %d", len(v), d.size(i))
	}
	if n := binary.BigEndian.Uint64(v); n != uint64(i) {
		return 0, fmt.Errorf("the value of entry %d", n)
	}
	write = binary.BigEndian.Uint64(v[8:])
	x := mix(uint64(i)<<20 ^ write)
	for rest := v[headLen:]; len(rest) > 0; {
		x = x*6364136223846793005 + 1442695040888963407
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], x)
		n := min(len(rest), 8)
		if string(rest[:n]) != string(word[:n]) {
			return 0, fmt.Errorf("a broken value")
		}
		rest = rest[n:]
	}
	return write, nil
}

// mix is MurmurHash3's 64-bit finalizer: no two numbers give the same.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

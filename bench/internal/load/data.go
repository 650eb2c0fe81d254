package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// Sizes of what is asked for, in bytes.
const (
	KeyLen   = 64
	ValueLen = 400
)

// Key makes the key of a number. No two numbers have the same.
func Key(i int) string { return fmt.Sprintf("%0*x", KeyLen, Mix(uint64(i))) }

// Keys makes keys from a number on.
func Keys(from, count int) []string {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = Key(from + i)
	}
	return keys
}

// Value makes a key's value, which begins with the key.
func Value(key string) []byte {
	v := make([]byte, ValueLen)
	for i := copy(v, key); i < len(v); i++ {
		v[i] = byte(i)
	}
	return v
}

// Check tells whether a value is the one that Value makes of the key.
func Check(key string, v []byte) error {
	if len(v) != ValueLen || string(v[:len(key)]) != key {
		return errors.New("a wrong value")
	}
	return nil
}

// Mix is MurmurHash3's 64-bit finalizer: no two numbers give the same.
func Mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// ZipfDraws draws indices below n by Zipf's law, always the same for a seed.
// Those that are drawn often are anywhere below n.
func ZipfDraws(n, draws int, seed uint64) []uint32 {
	rnd := rand.New(rand.NewPCG(seed, 2))
	zipf := rand.NewZipf(rnd, 1.01, 1, uint64(n-1))
	place := rnd.Perm(n)
	list := make([]uint32, draws)
	for i := range list {
		list[i] = uint32(place[zipf.Uint64()])
	}
	return list
}

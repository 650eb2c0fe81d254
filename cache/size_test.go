package cache

import (
	"testing"
	"unsafe"
)

func TestShardSize(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("words are not of 64 bits")
	}
	if n := unsafe.Sizeof(shard{}); n%64 != 0 {
		t.Errorf("a shard has %d bytes", n)
	}
	if n := unsafe.Sizeof(record{}); n != 64 {
		t.Errorf("a record has %d bytes", n)
	}
	if n := unsafe.Sizeof(bucket{}); n != 64 {
		t.Errorf("a bucket has %d bytes", n)
	}
	if n := unsafe.Sizeof(home{}); n != 64 {
		t.Errorf("a home has %d bytes", n)
	}
	if at := uintptr(unsafe.Pointer(new(index))); at%64 != 0 {
		t.Errorf("an index is at %#x, not where a cache line begins", at)
	}
	if n := unsafe.Sizeof(hits{}[0]); n != 128 {
		t.Errorf("a stripe of counts has %d bytes", n)
	}
}

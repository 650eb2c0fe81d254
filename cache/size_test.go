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
	if end := unsafe.Offsetof(shard{}.held) + unsafe.Offsetof(holding{}.kindCounters) + unsafe.Offsetof(kindCounters{}.evictions); end > 64 {
		t.Errorf("the first counters end at %d", end)
	}
	if n := unsafe.Sizeof(record{}); n != 64 {
		t.Errorf("a record has %d bytes", n)
	}
}

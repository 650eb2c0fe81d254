package cache_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cespare/xxhash/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/peercache/peercache/cache"
)

const (
	benchKeys  = 100_000
	benchDraws = 1 << 18
)

// hashOf hashes a key as package cluster does.
func hashOf(key string) uint64 { return mix(xxhash.Sum64String(key) ^ 0x51ca) }

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// sessionKeys returns n keys of 64 hexadecimal characters, and draws from them
// at random, each a string of its own: what is asked for lies elsewhere than
// what was stored.
func sessionKeys(n, draws int) (stored, asked []string) {
	r := rand.New(rand.NewPCG(1, 2))
	stored, asked = make([]string, n), make([]string, draws)
	for i := range stored {
		stored[i] = fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
	}
	for i := range asked {
		asked[i] = strings.Clone(stored[r.IntN(n)])
	}
	return stored, asked
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkGet is a hit on an owned entry without a time to live, the hashing of
// its key included, beside a hit in golang-lru's Cache.
func BenchmarkGet(b *testing.B) {
	stored, asked := sessionKeys(benchKeys, benchDraws)
	bare := must(lru.New[string, []byte](benchKeys))
	store := must(cache.New(cache.Config{}))
	b.Cleanup(store.Close)
	for _, k := range stored {
		v := make([]byte, 400)
		bare.Add(k, v)
		must(store.Put(cache.Ref{Hash: hashOf(k), Key: k}, cache.Entry{Version: 1, Value: v}))
	}
	targets := []struct {
		name string
		get  func(key string) bool
	}{
		{"golang-lru", func(key string) bool { _, ok := bare.Get(key); return ok }},
		{"cache", func(key string) bool { _, ok := store.Get(cache.Owned, hashOf(key), 0, key); return ok }},
	}
	for _, goroutines := range []int{1, 2, 8} {
		for _, t := range targets {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, t.name), func(b *testing.B) {
				b.ReportAllocs()
				var starts atomic.Uint32
				b.SetParallelism(max(goroutines/runtime.GOMAXPROCS(0), 1))
				body := func(next func() bool) {
					i := int(starts.Add(1)) * 7919 % benchDraws
					for next() {
						if !t.get(asked[i]) {
							b.Error("a miss")
							return
						}
						if i++; i == benchDraws {
							i = 0
						}
					}
				}
				if goroutines == 1 {
					n := 0
					body(func() bool { n++; return n <= b.N })
					return
				}
				b.RunParallel(func(pb *testing.PB) { body(pb.Next) })
			})
		}
	}
}

// BenchmarkHeapPerEntry reports the live heap per owned entry beyond the bytes
// of its key and its value, all included: 64-byte keys, 400-byte values. With
// -benchtime 1x it measures once.
func BenchmarkHeapPerEntry(b *testing.B) {
	const entries, valueLen = 1_000_000, 400
	for b.Loop() {
		before := liveHeap()
		store := must(cache.New(cache.Config{Budget: 2 << 30}))
		r := rand.New(rand.NewPCG(3, 4))
		for range entries {
			k := fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
			must(store.Put(cache.Ref{Hash: hashOf(k), Key: k}, cache.Entry{Version: 1, Value: make([]byte, valueLen)}))
		}
		used := liveHeap() - before
		if n := store.Stats().Owned.Entries; n != entries {
			b.Fatalf("%d entries are left of %d", n, entries)
		}
		b.ReportMetric(float64(used)/entries-64-valueLen, "B/entry")
		b.ReportMetric(float64(store.Stats().Shards), "shards")
		store.Close()
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPut stores entries of which a full store has not had most, so that
// each makes another go.
func BenchmarkPut(b *testing.B) {
	store := must(cache.New(cache.Config{Budget: 64 << 20, MaxValue: 10_000}))
	defer store.Close()
	r := rand.New(rand.NewPCG(5, 6))
	zipf := rand.NewZipf(r, 1.01, 1, 4_000_000)
	keys := make([]string, 1<<20)
	for i := range keys {
		keys[i] = fmt.Sprintf("%064x", zipf.Uint64())
	}
	value := make([]byte, 400)
	version := uint64(0)
	put := func() {
		k := keys[version%uint64(len(keys))]
		version++
		h := hashOf(k)
		if _, ok := store.Get(cache.Owned, h, 0, k); !ok {
			must(store.Put(cache.Ref{Hash: h, Key: k}, cache.Entry{Version: version, Value: value}))
		}
	}
	for range len(keys) / 2 {
		put()
	}
	b.ReportAllocs()
	for b.Loop() {
		put()
	}
}

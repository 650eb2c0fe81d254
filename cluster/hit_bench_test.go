package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const hitKeys = 100_000

// BenchmarkHit is a hit through Cache.Get, owned and near, beside one of
// golang-lru's Cache with the same keys, which are asked for as often as Zipf's
// law has it.
func BenchmarkHit(b *testing.B) {
	ctx := context.Background()
	nodes := startNodes(b, 2, func(c *Config) { c.NearTTL = MaxNearTTL })
	caches := openAll(b, nodes, "c")
	bare, err := lru.New[string, []byte](2 * hitKeys)
	if err != nil {
		b.Fatal(err)
	}
	var owned, near []string
	for i := 0; len(owned) < hitKeys; i++ {
		key := fmt.Sprintf("%064x", i)
		if nodes[0].Where("c", key).Owner == nodes[0].Name() {
			owned = append(owned, key)
			bare.Add(key, make([]byte, 400))
			if err := caches[0].Set(ctx, key, make([]byte, 400)); err != nil {
				b.Fatal(err)
			}
		} else if len(near) < 1000 {
			near = append(near, key)
			if err := caches[1].Set(ctx, key, make([]byte, 400)); err != nil {
				b.Fatal(err)
			}
		}
	}
	draw := func(from []string) []string {
		list := make([]string, 1<<17)
		zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, uint64(len(from)-1))
		for i := range list {
			list[i] = strings.Clone(from[zipf.Uint64()])
		}
		return list
	}
	asked, askedNear := draw(owned), draw(near)
	for _, target := range []struct {
		name string
		keys []string
		get  func(key string) bool
	}{
		{"golang-lru", asked, func(key string) bool { _, ok := bare.Get(key); return ok }},
		{"owned", asked, func(key string) bool { _, err := caches[0].Get(ctx, key); return err == nil }},
		{"near", askedNear, func(key string) bool { _, err := caches[0].Get(ctx, key); return err == nil }},
	} {
		for _, goroutines := range []int{1, 2, 8} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", target.name, goroutines), func(b *testing.B) {
				b.ReportAllocs()
				var starts atomic.Uint32
				b.SetParallelism(max(goroutines/runtime.GOMAXPROCS(0), 1))
				if goroutines == 1 {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
				}
				b.RunParallel(func(pb *testing.PB) {
					i := int(starts.Add(1)) * 7919
					for ; pb.Next(); i++ {
						if key := target.keys[i%len(target.keys)]; !target.get(key) {
							b.Error("a miss")
						}
					}
				})
			})
		}
	}
}

// A hit allocates nothing, whether it is owned or near.
func TestHitAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 2, func(c *Config) { c.NearTTL = MaxNearTTL })
	caches := openAll(t, nodes, "c")
	seen := make(map[string]bool)
	for i := range 20 {
		key := fmt.Sprint("k", i)
		if err := caches[0].SetTTL(ctx, key, []byte("v"), time.Hour); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, from, err := caches[0].Lookup(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			seen[strings.Fields(from.String())[0]] = true
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := caches[0].Get(ctx, key); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("a hit on %s allocates %v times", key, n)
		}
	}
	if !seen["owned"] || !seen["near"] {
		t.Errorf("not both kinds of hits were seen: %v", seen)
	}
}

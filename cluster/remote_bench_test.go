package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// BenchmarkRemote is a call on a key that another node of this process owns,
// without near copies.
func BenchmarkRemote(b *testing.B) {
	ctx := context.Background()
	nodes := startNodes(b, 2, func(c *Config) { c.NearTTL = -1 })
	c := openBytes(b, nodes[0], "c")
	var keys []string
	for i := 0; len(keys) < 10_000; i++ {
		key := fmt.Sprintf("%064x", i)
		if nodes[0].Where("c", key).Owner == nodes[1].Name() {
			keys = append(keys, key)
		}
	}
	value := make([]byte, 400)
	for _, key := range keys {
		if err := c.Set(ctx, key, value); err != nil {
			b.Fatal(err)
		}
	}
	for _, call := range []struct {
		name string
		do   func(key string) error
	}{
		{"get", func(key string) error { _, err := c.Get(ctx, key); return err }},
		{"set", func(key string) error { return c.Set(ctx, key, value) }},
		{"delete", func(key string) error { return c.Delete(ctx, key) }},
		{"miss", func(key string) error {
			if _, err := c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
				return err
			}
			return nil
		}},
	} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", call.name, callers), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(callers)
				if callers == 1 {
					for i := range b.N {
						if err := call.do(keys[i%len(keys)]); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						if err := call.do(keys[i*7919%len(keys)]); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

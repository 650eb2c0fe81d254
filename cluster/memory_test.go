package cluster

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// heap returns the bytes of live heap.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Ten times as much is written as there is room for, and read on another node:
// no node's memory is over its budget, and the process has no more than that.
func TestMemoryStaysInBudget(t *testing.T) {
	ctx := context.Background()
	const budget = 8 << 20
	nodes := startNodes(t, 2, func(c *Config) { c.Memory, c.MaxValue = budget, 16<<10 })
	caches := openAll(t, nodes, "c")
	before := heap()
	value := make([]byte, 4<<10)
	const writes = 10 * 2 * budget / (4 << 10)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < writes; i += 8 {
				key := fmt.Sprint("k", i)
				if err := caches[i%2].Set(ctx, key, value); err != nil {
					t.Error(err)
				}
				if _, err := caches[(i+1)%2].GetMany(ctx, []string{key}); err != nil {
					t.Error(err)
				}
				if i%64 != 0 {
					continue
				}
				for _, n := range nodes {
					if s := n.Stats().Store; s.Bytes > s.Budget || s.Budget != budget {
						t.Errorf("%s holds %d bytes, over its budget of %d", n.Name(), s.Bytes, s.Budget)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		s := n.Stats().Store
		if s.Bytes < budget/2 {
			t.Errorf("%s holds only %d bytes of %d", n.Name(), s.Bytes, budget)
		}
		if s.Owned.Evictions+s.Near.Evictions == 0 {
			t.Errorf("%s has evicted nothing", n.Name())
		}
	}
	// Connections and tables are beside the budget.
	if grown := heap() - before; grown > 2*budget*3/2 {
		t.Errorf("the heap has grown by %d bytes for two budgets of %d", grown, budget)
	}
}

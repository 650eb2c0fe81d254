package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// traffic is what all nodes have sent each other so far, by kind.
func traffic(nodes []*Node) map[string]uint64 {
	sum := make(map[string]uint64)
	for _, n := range nodes {
		s := n.Stats()
		for k, c := range s.Messages {
			sum[k] += c
		}
		for k, c := range s.Requests {
			sum[k] += c
		}
	}
	return sum
}

// The costs that the protocol promises, in requests and messages between nodes.
func TestCosts(t *testing.T) {
	for _, backups := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(backups, " backups"), func(t *testing.T) { costs(t, uint64(backups)) })
	}
}

func costs(t *testing.T, backups uint64) {
	ctx := context.Background()
	nodes := startNodes(t, 4, func(c *Config) {
		c.NearTTL = 2 * time.Second
		if c.Backups = int(backups); backups == 0 {
			c.Backups = -1
		}
	})
	// copied adds what brings a write to the backups.
	copied := func(want map[string]uint64) map[string]uint64 {
		if want == nil {
			want = make(map[string]uint64)
		}
		want["replicate"], want["replicated"] = backups, backups
		return want
	}
	caches := openAll(t, nodes, "c")
	key := "the key"
	owner := -1
	for i, n := range nodes {
		if n.Where("c", key).Serving {
			owner = i
		}
	}
	other := func(i int) *Cache[[]byte] { return caches[(owner+i)%len(caches)] }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	get := func(c *Cache[[]byte]) {
		t.Helper()
		_, err := c.Get(ctx, key)
		must(err)
	}
	// Until the leases of the last owner must have ended a write asks everybody.
	eventually(t, "writes ask holders only", func() bool {
		before := traffic(nodes)["revoke"]
		must(other(0).Set(ctx, key, []byte("v")))
		return traffic(nodes)["revoke"] == before
	})
	for _, c := range []struct {
		name string
		do   func()
		want map[string]uint64
	}{
		{"a Set at the owner", func() { must(other(0).Set(ctx, key, []byte("v"))) }, copied(nil)},
		{"a Set elsewhere", func() { must(other(1).Set(ctx, key, []byte("v"))) }, copied(map[string]uint64{"set": 1})},
		{"a hit at the owner", func() { get(other(0)) }, nil},
		{"a first Get elsewhere", func() { get(other(1)) }, map[string]uint64{"get": 1}},
		{"a near hit", func() { get(other(1)) }, nil},
		{"another node's first Get", func() { get(other(2)) }, map[string]uint64{"get": 1}},
		{"a Set with two holders", func() { must(other(3).Set(ctx, key, []byte("w"))) }, copied(map[string]uint64{"set": 1, "revoke": 2, "revoked": 2})},
		{"a Delete at the owner", func() { must(other(0).Delete(ctx, key)) }, copied(map[string]uint64{"revoke": 3, "revoked": 3})},
		{"a Delete elsewhere", func() { must(other(1).Delete(ctx, key)) }, copied(map[string]uint64{"delete": 1, "revoke": 3, "revoked": 3})},
		{"a miss", func() {
			if _, err := other(2).Get(ctx, key); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		}, map[string]uint64{"get": 1}},
		// In a node's first minute nothing is forgotten (missing.go; TestSimGrowth counts later).
		{"a Clear", func() { must(other(1).Clear(ctx)) }, map[string]uint64{"clear": 3, "cleared": 3}},
	} {
		before := traffic(nodes)
		c.do()
		after := traffic(nodes)
		for k := range c.want {
			after[k] += 0 // also what was never sent
		}
		for k, n := range after {
			if got := n - before[k]; got != c.want[k] {
				t.Errorf("%s sent %d times %q, not %d", c.name, got, k, c.want[k])
			}
		}
	}
}

// What a Delete that has returned nil removed is gone for every node, at once.
func TestDeletedIsGoneEverywhere(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 3, nil)
	caches := openAll(t, nodes, "c")
	rounds := 10000
	if testing.Short() {
		rounds = 500
	}
	for i := range rounds {
		key := fmt.Sprint("session", i%100)
		if err := caches[i%3].Set(ctx, key, []byte("v")); err != nil {
			t.Fatal(err)
		}
		for _, c := range caches { // everybody has a copy now
			if _, err := c.Get(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		if err := caches[(i/3)%3].Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		for j, c := range caches {
			if v, err := c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
				t.Fatalf("round %d: n%d still has %s: %q, %v", i, j+1, key, v, err)
			}
		}
	}
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestOneNode(t *testing.T) {
	ctx := context.Background()
	n := startNode(t, "solo", nil, nil)
	waitActive(t, n)
	c := openBytes(t, n, "c")
	if _, err := c.Get(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("Get of nothing: %v", err)
	}
	if err := c.Set(ctx, "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "k"); err != nil || string(v) != "v" {
		t.Fatalf("Get: %q, %v", v, err)
	}
	if err := c.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("Get after Delete: %q, %v", v, err)
	}
	if err := c.Set(ctx, "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Get(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("Get after Clear: %q, %v", v, err)
	}
	if err := n.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(ctx, "k"); !errors.Is(err, ErrClosed) {
		t.Fatalf("Get after Leave: %v", err)
	}
}

// What one node writes all others read; what one deletes, all others miss.
func TestThreeNodes(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 3, nil)
	caches := openAll(t, nodes, "c")
	for i := range 300 {
		key := fmt.Sprintf("k%d", i)
		if err := caches[i%3].Set(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			for j, c := range caches {
				v, from, err := c.Lookup(ctx, key)
				if err != nil || string(v) != key {
					t.Fatalf("n%d: %s: %q, %v", j+1, key, v, err)
				}
				owner := nodes[j].Where("c", key).Owner
				want := "near"
				switch {
				case owner == nodes[j].Name():
					want = "owned"
				case round == 0:
					want = "peer " + owner
				}
				if from.String() != want {
					t.Fatalf("n%d: %s in round %d came from %q, not %q", j+1, key, round, from, want)
				}
			}
		}
		if err := caches[(i+1)%3].Set(ctx, key, []byte("new")); err != nil {
			t.Fatal(err)
		}
		for j, c := range caches {
			if v, err := c.Get(ctx, key); err != nil || string(v) != "new" {
				t.Fatalf("n%d: %s after the second Set: %q, %v", j+1, key, v, err)
			}
		}
		if err := caches[(i+2)%3].Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		for j, c := range caches {
			if v, err := c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
				t.Fatalf("n%d: %s after Delete: %q, %v", j+1, key, v, err)
			}
		}
	}
}

func TestClearEverywhere(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 3, nil)
	caches := openAll(t, nodes, "c")
	other := openAll(t, nodes, "other")
	for i := range 100 {
		key := fmt.Sprintf("k%d", i)
		if err := errors.Join(caches[0].Set(ctx, key, []byte("v")), other[0].Set(ctx, key, []byte("v"))); err != nil {
			t.Fatal(err)
		}
		if _, err := caches[2].Get(ctx, key); err != nil { // leaves near copies
			t.Fatal(err)
		}
	}
	if err := caches[1].Clear(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		for j := range caches {
			key := fmt.Sprintf("k%d", i)
			if v, err := caches[j].Get(ctx, key); !errors.Is(err, ErrNotFound) {
				t.Fatalf("n%d: %s after Clear: %q, %v", j+1, key, v, err)
			}
			if _, err := other[j].Get(ctx, key); err != nil {
				t.Fatalf("n%d: another cache's %s: %v", j+1, key, err)
			}
		}
	}
}

func TestTTL(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 2, nil)
	caches := openAll(t, nodes, "c")
	for i := range 20 {
		if err := caches[0].SetTTL(ctx, fmt.Sprint(i), []byte("v"), 300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if _, err := caches[1].Get(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		for _, c := range caches {
			eventually(t, "the entry expires", func() bool {
				_, err := c.Get(ctx, fmt.Sprint(i))
				return errors.Is(err, ErrNotFound)
			})
		}
	}
}

func TestGetMany(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 3, nil)
	caches := openAll(t, nodes, "c")
	keys := []string{"missing"}
	for i := range 1000 {
		key := fmt.Sprintf("k%d", i)
		keys = append(keys, key)
		if err := caches[i%3].Set(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // from the owners, then near
		got, err := caches[1].GetMany(ctx, keys)
		if err != nil || len(got) != 1000 {
			t.Fatalf("GetMany: %d values, %v", len(got), err)
		}
		for k, v := range got {
			if string(v) != k {
				t.Fatalf("%s: %q", k, v)
			}
		}
	}
	if n := nodes[1].Stats().Requests["get_many"]; n > 2*4 {
		t.Errorf("%d requests for 1001 keys at two owners", n)
	}
}

// What owners answer without a lock and what they look up otherwise come in one
// reply, each to its key, whatever comes first; and what is too much for one
// reply comes too.
func TestGetManyWithoutCopies(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 2, func(c *Config) { c.NearTTL = -1 })
	caches := openAll(t, nodes, "c")
	large := make([]byte, 200<<10) // a dozen are more than a reply takes
	var keys []string
	for i := range 250 {
		key := fmt.Sprintf("k%d", i)
		keys = append(keys, key)
		if i%10 == 9 {
			continue // missing
		}
		value := []byte(key)
		if i < 40 {
			value = append(value, large...)
		}
		if err := caches[0].Set(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, keys := range [][]string{keys, keys[:9], keys[9:], keys[100:109]} {
		got, err := caches[1].GetMany(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			i, _ := strconv.Atoi(key[1:])
			if v, ok := got[key]; ok == (i%10 == 9) || ok && !strings.HasPrefix(string(v), key) {
				t.Fatalf("%s: %v, %.10q", key, ok, v)
			}
		}
	}
}

package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

type user struct {
	Name  string
	Roles []string
}

// countingCodec counts how often it decodes.
type countingCodec struct {
	jsonCodec[user]
	decoded *atomic.Int64
}

func (c countingCodec) Decode(b []byte) (user, error) {
	c.decoded.Add(1)
	return c.jsonCodec.Decode(b)
}

// A hit does not decode again, wherever the bytes are.
func TestDecodedOnce(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 2, nil)
	for i, n := range nodes {
		var decoded atomic.Int64
		c, err := NewCache(n, "users", Options[user]{Codec: countingCodec{decoded: &decoded}})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
			if i == 0 {
				if err := c.Set(ctx, key, user{Name: key}); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 {
				if u, err := c.Get(ctx, key); err != nil || u.Name != key {
					t.Fatalf("%+v, %v", u, err)
				}
			}
			// A remote get decodes what came, and the near copy once more at most.
			if d := decoded.Swap(0); d > 2 {
				t.Errorf("%s on %s: decoded %d times for 5 gets", key, n.Name(), d)
			}
		}
	}
}

// A near copy that is lent again, unchanged, is not decoded again; one that has
// changed is.
func TestSimLentAgain(t *testing.T) {
	simulate(t, 3, sim.LAN(), func(s *simulation) {
		s.near = 300 * time.Millisecond
		nodes := s.cluster(2)
		s.settled()
		ctx := context.Background()
		key := s.ownedBy(nodes[0], "users", 1)[0]
		var decoded atomic.Int64
		open := func(n *simNode) *Cache[user] {
			c, err := NewCache(n.Node, "users", Options[user]{Codec: countingCodec{decoded: &decoded}, TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		owner, reader := open(nodes[0]), open(nodes[1])
		for round, name := range []string{"Ada", "Grace"} {
			if err := owner.Set(ctx, key, user{Name: name}); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				u, from, err := reader.Lookup(ctx, key)
				if err != nil || u.Name != name || from.kind != sourcePeer {
					t.Errorf("%+v from %v, %v", u, from, err)
				}
				if _, from, _ = reader.Lookup(ctx, key); from.kind != sourceNear {
					t.Errorf("then from %v", from)
				}
				time.Sleep(s.near)
			}
			if got := decoded.Load(); got != int64(round)+1 {
				t.Errorf("%s was decoded %d times", name, got-int64(round))
			}
		}
	})
}

func TestClone(t *testing.T) {
	ctx := context.Background()
	n := startNode(t, "solo", nil, nil)
	waitActive(t, n)
	clone := func(u user) user { return user{Name: u.Name, Roles: slices.Clone(u.Roles)} }
	c, err := NewCache(n, "users", Options[user]{Clone: clone})
	if err != nil {
		t.Fatal(err)
	}
	given := user{Name: "Ada", Roles: []string{"admin"}}
	if err := c.Set(ctx, "k", given); err != nil {
		t.Fatal(err)
	}
	given.Roles[0] = "changed after Set"
	for range 3 {
		u, err := c.Get(ctx, "k")
		if err != nil || u.Roles[0] != "admin" {
			t.Fatalf("%+v, %v", u, err)
		}
		u.Roles[0] = "changed by a caller"
	}
}

// Set copies the bytes that it is given.
func TestSetCopies(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 2, nil)
	caches := openAll(t, nodes, "c")
	for _, key := range []string{"a", "b", "c", "d"} {
		b := []byte("value")
		if err := caches[0].Set(ctx, key, b); err != nil {
			t.Fatal(err)
		}
		copy(b, "XXXXX")
		for _, c := range caches {
			if v, err := c.Get(ctx, key); string(v) != "value" {
				t.Errorf("%q, %v", v, err)
			}
		}
	}
}

func TestValuesThatDoNotDecode(t *testing.T) {
	ctx := context.Background()
	n := startNode(t, "solo", nil, nil)
	waitActive(t, n)
	raw, err := NewCache(n, "users", Options[string]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Set(ctx, "k", "{"); err != nil {
		t.Fatal(err)
	}
	typed, err := NewCache(n, "users", Options[user]{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = typed.Get(ctx, "k")
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "decoding") {
		t.Errorf("%v", err)
	}
	funcs, err := NewCache(n, "funcs", Options[func()]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := funcs.Set(ctx, "k", func() {}); err == nil || !strings.Contains(err.Error(), "encoding") {
		t.Errorf("%v", err)
	}
}

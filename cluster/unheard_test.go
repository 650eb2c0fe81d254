package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// Who reads caches that nobody has written to does not fill the others' tables of
// names, which are bounded; what is there is found all the same.
func TestReadsAddNoNames(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	ctx := context.Background()
	reader := nodes[0]
	for i := range 50 {
		c := openBytes(t, reader, fmt.Sprint("unheard of ", i))
		if _, err := c.Get(ctx, "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get: %v", err)
		}
		if got, err := c.GetMany(ctx, []string{"a", "b", "c", "d", "e", "f"}); len(got) > 0 || err != nil {
			t.Errorf("GetMany: %v, %v", got, err)
		}
	}
	for _, n := range nodes[1:] {
		if known := len(*n.caches.list.Load()); known > 0 {
			t.Errorf("%s has taken in %d names", n.Name(), known)
		}
	}
	c := openBytes(t, reader, "written")
	for i := range 30 {
		if err := c.Set(ctx, fmt.Sprint("k", i), []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		c := openBytes(t, n, "written")
		for i := range 30 {
			if v, err := c.Get(ctx, fmt.Sprint("k", i)); err != nil || string(v) != "v" {
				t.Errorf("%s: %q, %v", n.Name(), v, err)
			}
		}
	}
}

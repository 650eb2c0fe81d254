package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/peercache/peercache/cluster"
)

// Two replicas, here in one process: what one writes the other reads, and what
// one deletes is gone on both.
func Example() {
	ctx := context.Background()
	a, err := cluster.Start(ctx, cluster.Config{Name: "a"})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := cluster.Start(ctx, cluster.Config{Name: "b", Join: []string{a.GossipAddr()}})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Leave(ctx)
	<-b.Active()

	type user struct{ Name string }
	onA, err := cluster.NewCache(a, "users", cluster.Options[user]{TTL: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	onB, err := cluster.NewCache(b, "users", cluster.Options[user]{TTL: time.Hour})
	if err != nil {
		log.Fatal(err)
	}

	if err := onA.Set(ctx, "42", user{"Ada"}); err != nil {
		log.Fatal(err)
	}
	u, err := onB.Get(ctx, "42")
	fmt.Println(u.Name, err)

	if err := onB.Delete(ctx, "42"); err != nil {
		log.Fatal(err)
	}
	_, err = onA.Get(ctx, "42")
	fmt.Println(errors.Is(err, cluster.ErrNotFound))
	// Output:
	// Ada <nil>
	// true
}

// With Load the cache gets what it does not have, once per cluster.
func ExampleOptions_load() {
	ctx := context.Background()
	node, err := cluster.Start(ctx, cluster.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Leave(ctx)
	names, err := cluster.NewCache(node, "names", cluster.Options[string]{
		TTL: time.Minute,
		Load: func(_ context.Context, key string) (string, error) {
			if key == "nobody" {
				return "", cluster.ErrNotFound
			}
			return "the name of " + key, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"42", "nobody"} {
		name, from, err := names.Lookup(ctx, key)
		fmt.Printf("%q %v %v\n", name, from, err)
	}
	// Output:
	// "the name of 42" loaded <nil>
	// "" none cluster: not found
}

// Who could not be asked in time is named; the work goes on behind it.
func ExamplePartialError() {
	err := error(&cluster.PartialError{Members: []string{"n2"}})
	var partial *cluster.PartialError
	if errors.As(err, &partial) {
		fmt.Println("still to confirm:", partial.Members)
	}
	// Output: still to confirm: [n2]
}

package gossip_test

import (
	"context"
	"fmt"
	"time"

	"github.com/peercache/peercache/gossip"
)

func Example() {
	first, err := gossip.Start(gossip.Config{ID: "first"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer first.Close()

	events := make(chan gossip.Event, 10)
	second, err := gossip.Start(gossip.Config{
		ID:      "second",
		Join:    []string{first.Addr()},
		OnEvent: func(e gossip.Event) { events <- e },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer second.Close()

	e := <-events
	fmt.Println(e.Member.ID, e.Kind)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := first.Leave(ctx); err != nil {
		fmt.Println(err)
	}
	e = <-events
	fmt.Println(e.Member.ID, e.Kind)

	// Output:
	// first joined
	// first left
}

func ExampleGossip_Broadcast() {
	heard := make(chan string)
	a, err := gossip.Start(gossip.Config{ID: "a", OnMessage: func(msg []byte) { heard <- string(msg) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()

	joined := make(chan struct{})
	b, err := gossip.Start(gossip.Config{
		ID: "b", Join: []string{a.Addr()},
		OnEvent: func(e gossip.Event) {
			if e.Kind == gossip.Joined {
				close(joined)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	<-joined
	if err := b.Broadcast([]byte("hello")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-heard)

	// Output:
	// hello
}

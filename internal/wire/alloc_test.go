//go:build !race

package wire

import (
	"context"
	"testing"
	"time"
)

// A call allocates its reply and nothing else, on either side. (Under the race
// detector sync.Pool forgets at random.)
func TestCallAllocations(t *testing.T) {
	answer := make([]byte, 400)
	s := serve(t, nil, Config{}, func(c *Conn, r Request) { _ = c.Reply(r.ID, answer) })
	c := dial(t, s, Config{}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	body := make([]byte, 80)
	got := testing.AllocsPerRun(2000, func() {
		if _, err := c.Call(ctx, 1, body, time.Second); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 {
		t.Errorf("%v allocations a call, both sides together", got)
	}
}

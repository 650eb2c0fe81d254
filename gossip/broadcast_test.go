package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Small ones go in packets, large ones by stream; all ten hear each exactly
// once.
func TestBroadcastReachesAll(t *testing.T) {
	for _, size := range []int{0, 100, 1200, 1500, 100 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, _, all := simulate(t, 10)
				msg := strings.Repeat("m", size)
				begin := time.Now()
				if err := all[3].Broadcast([]byte(msg)); err != nil {
					t.Fatal(err)
				}
				for i, p := range all {
					if i != 3 {
						until(t, "the message arrives", func() bool { return len(p.heard()) > 0 })
					}
				}
				t.Logf("%d bytes reached all after %v", size, time.Since(begin))
				time.Sleep(time.Minute)
				for i, p := range all {
					switch got := p.heard(); {
					case i == 3 && len(got) > 0:
						t.Errorf("the sender heard %d messages", len(got))
					case i != 3 && (len(got) != 1 || got[0] != msg):
						t.Errorf("%s heard %d messages", p.cfg.ID, len(got))
					}
				}
			})
		})
	}
}

// The largest message that goes by packet is really sent: memberlist keeps one
// that does not fit in its queue, and says nothing.
func TestLargestPacket(t *testing.T) {
	for _, cfg := range []Config{{}, {Label: "label"}, {Keys: [][]byte{key(1)}}, {Label: strings.Repeat("l", maxLabel), Keys: [][]byte{key(1)}}} {
		t.Run(fmt.Sprintf("label=%d,keys=%d", len(cfg.Label), len(cfg.Keys)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				a, b := net.host(0), net.host(1)
				cfg := cfg
				cfg.ID, cfg.Transport = "a", a
				x := start(t, cfg)
				cfg.ID, cfg.Transport, cfg.Join = "b", b, []string{a.addr.String()}
				y := start(t, cfg)
				meet(t, x, y)
				largest := x.casts.limit - castHeader
				for _, size := range []int{largest, largest + 1} {
					if err := x.Broadcast(bytes.Repeat([]byte{'m'}, size)); err != nil {
						t.Fatal(err)
					}
					queued := x.casts.queue.NumQueued()
					if (queued == 1) != (size == largest) {
						t.Errorf("%d bytes: %d are queued for packets", size, queued)
					}
					until(t, "it arrives", func() bool {
						return slices.ContainsFunc(y.heard(), func(m string) bool { return len(m) == size })
					})
					until(t, "the queue is empty", func() bool { return x.casts.queue.NumQueued() == 0 })
				}
			})
		})
	}
}

// Who hears a broadcast passes it on, once and not for ever. (That it takes this
// to reach all is seen by TestBroadcastReachesAll failing without.)
func TestBroadcastIsPassedOn(t *testing.T) {
	c := newCaster(room(packetSize, "", false), 4, func() int { return 3 }, t.Logf)
	for range 2 {
		c.receive(encodeCast(2, castID{1}, []byte("m")))
	}
	c.receive(encodeCast(0, castID{2}, []byte("n"))) // the last hop
	sent := c.queue.GetBroadcasts(messageFraming, packetSize)
	if len(sent) != 1 || !bytes.Equal(sent[0], encodeCast(1, castID{1}, []byte("m"))) {
		t.Errorf("passed on: %q", sent)
	}
	if len(c.inbox) != 2 {
		t.Errorf("%d are delivered, want 2", len(c.inbox))
	}
	c.enqueue(encodeCast(maxHops, c.newID(), []byte("own")))
	for _, b := range c.queue.GetBroadcasts(messageFraming, packetSize) {
		c.receive(b)
	}
	if len(c.inbox) != 2 {
		t.Error("it hears what it has sent")
	}
}

func TestBroadcastQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := start(t, Config{ID: "a", Transport: net.host(0)})
		for i := range 10 * maxQueued {
			if err := a.Broadcast(fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		if n := a.casts.queue.NumQueued(); n != maxQueued {
			t.Errorf("%d are queued, want %d", n, maxQueued)
		}
		if err := a.Broadcast(make([]byte, MaxBroadcast)); err != nil {
			t.Errorf("the largest with nobody to hear it: %v", err)
		}
		if err := a.Broadcast(make([]byte, MaxBroadcast+1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("one byte over the limit: %v", err)
		}
	})
}

func TestLargeBroadcastsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, hosts, all := simulate(t, 3)
		net.setCut(func(from, _ string) bool { return from != hosts[0].addr.String() })
		var err error
		n := 0
		for ; err == nil; n++ {
			err = all[0].Broadcast(make([]byte, MaxBroadcast-castHeader))
		}
		if !errors.Is(err, ErrOverloaded) || n != maxLargeBytes/MaxBroadcast+1 {
			t.Errorf("the %d. is refused: %v", n, err)
		}
		net.setCut(nil)
		time.Sleep(time.Minute)
		if err := all[0].Broadcast(make([]byte, MaxBroadcast)); err != nil {
			t.Errorf("when all are done: %v", err)
		}
	})
}

// A receiver that does not keep up costs bounded memory, and nobody else.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	a := start(t, Config{ID: "a"})
	b := start(t, Config{ID: "b", Join: []string{a.Addr()}, OnMessage: func([]byte) { <-block }})
	defer close(block)
	meet(t, a, b)
	for i := range 2 * maxInbox {
		b.casts.receive(encodeCast(0, castID{byte(i), byte(i >> 8)}, []byte("m")))
	}
	b.casts.mu.Lock()
	n := len(b.casts.inbox)
	b.casts.mu.Unlock()
	if n != maxInbox {
		t.Errorf("%d messages are kept, want %d", n, maxInbox)
	}
	if err := a.SetMeta([]byte("new")); err != nil {
		t.Fatal(err)
	}
	until(t, "events go on", func() bool { return b.of("a") == "joined updated" })
}

func TestRecentForgetsTheOldest(t *testing.T) {
	var r recent
	id := func(i int) castID { return castID{byte(i), byte(i >> 8)} }
	for i := range maxSeen {
		if !r.add(id(i)) || r.add(id(i)) {
			t.Fatalf("id %d", i)
		}
	}
	r.add(id(maxSeen))
	if len(r.known) != maxSeen || len(r.ring) != maxSeen {
		t.Errorf("%d and %d are kept, want %d", len(r.known), len(r.ring), maxSeen)
	}
	if r.add(id(1)) || !r.add(id(0)) {
		t.Error("not the oldest was forgotten")
	}
}

func FuzzDecodeCast(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{castVersion, 1, 2, 3})
	f.Add(encodeCast(maxHops, castID{1, 2, 3}, []byte("hello")))
	f.Add(encodeCast(255, castID{}, nil))
	c := newCaster(room(packetSize, "", false), 4, func() int { return 1 }, func(string, ...any) {})
	f.Fuzz(func(t *testing.T, b []byte) {
		hops, id, msg, err := decodeCast(b)
		if err == nil {
			if hops > maxHops {
				t.Errorf("%d hops", hops)
			}
			again := encodeCast(b[1], id, msg)
			if !bytes.Equal(again, b) {
				t.Errorf("%x became %x", b, again)
			}
		}
		c.receive(bytes.Clone(b))
		if n := c.queue.NumQueued(); n > maxQueued {
			t.Errorf("%d are queued", n)
		}
	})
}

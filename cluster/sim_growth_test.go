package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

var simGrowth = flag.Int("sim.growth", 10, "with up to how many nodes TestSimGrowth tells what things cost")

// What calls, joins and gossip cost with how many nodes, in virtual time: what the
// processors need takes none, and a LAN's latencies do. The messages of calls are those
// that docs/protocol.md says, for any number of nodes.
func TestSimGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes with the race detector; make test runs it without")
	}
	var b strings.Builder
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		s.change, s.near = backups(0), -1
		for i := range *simGrowth {
			began := time.Now()
			n := s.startOn(s.host(), fmt.Sprint("n", i), s.addrs(), nil)
			s.use(n)
			var took, owned time.Duration
			for took == 0 || s.unserved() != nil {
				if st := n.Stats(); took == 0 && st.SlotsOwned > 0 {
					if owned == 0 {
						owned = time.Since(began)
					}
					if st.SlotsActive == st.SlotsOwned {
						took = time.Since(began)
					}
				}
				if time.Since(began) > 10*time.Second {
					t.Fatalf("with %d nodes not all serve: %v", i+1, s.unserved())
				}
				time.Sleep(time.Millisecond)
			}
			everyone := time.Since(began)
			if count := i + 1; count == *simGrowth || slices.Contains([]int{1, 3, 10, 30, 100}, count) {
				fmt.Fprintf(&b, "| %d | %v | %v | %v |", count, ms(took-owned), ms(took), ms(everyone))
				s.costs(&b, uint64(count))
			}
		}
	})
	t.Logf("virtual time in ms, messages between nodes, bytes without headers:\n"+
		"| nodes | take | join | all know of it | packets, B/s a node | streams, B/s a node | set | bytes | get | bytes | delete | bytes | clear | bytes |\n"+
		"| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n%s", &b)
}

func ms(d time.Duration) float64 { return float64(d.Round(100*time.Microsecond)) / 1e6 }

// unserved says who does not know all, or does not serve what it owns.
func (s *simulation) unserved() error {
	nodes := s.all()
	for _, n := range nodes {
		if st := n.Stats(); st.Members != len(nodes) || st.SlotsOwned == 0 || st.SlotsActive != st.SlotsOwned {
			return fmt.Errorf("%s knows %d of %d members and serves %d of %d slots", st.Name, st.Members, len(nodes), st.SlotsActive, st.SlotsOwned)
		}
	}
	return nil
}

// costs makes calls for keys that others own, if there are others.
func (s *simulation) costs(b *strings.Builder, count uint64) {
	const calls = 20
	self := s.all()[0]
	ctx := context.Background()
	s.settled()
	time.Sleep(time.Minute) // the joins are still being told on
	before := s.net.Stats()
	idle := 10 * time.Second
	time.Sleep(idle)
	after := s.net.Stats()
	each := uint64(idle.Seconds()) * count
	fmt.Fprintf(b, " %d | %d |", (after.InPackets-before.InPackets)/each, (after.Bytes-before.Bytes)/each)
	var keys []string
	for i := 0; len(keys) < calls; i++ {
		if key := fmt.Sprintf("%064d", i); count == 1 || self.Where("c", key).Owner != self.Name() {
			keys = append(keys, key)
		}
	}
	value := make([]byte, 400)
	for _, c := range []struct {
		name string
		want uint64
		call func(key string) error
	}{
		{"set", 1, func(key string) error { return self.c.Set(ctx, key, value) }},
		{"get", 1, func(key string) error { _, err := self.c.Get(ctx, key); return err }},
		{"delete", 1 + 2*(count-1), func(key string) error { return self.c.Delete(ctx, key) }},
		{"clear", 3 * (count - 1), func(string) error { return self.c.Clear(ctx) }},
	} {
		if count == 1 {
			c.want = 0
		}
		messages, began := s.messages(), s.net.Stats()
		for _, key := range keys {
			if err := c.call(key); err != nil && !errors.Is(err, ErrNotFound) {
				s.errorf("%s with %d nodes: %v", c.name, count, err)
			}
		}
		// Where nobody keeps near copies a tick may end waiting for who has none to drop:
		// then their words come after the call.
		eventually(s.t, "all messages of "+c.name+" have been sent", func() bool { return s.messages()-messages >= c.want*calls })
		ended := s.net.Stats()
		if got := s.messages() - messages; got != c.want*calls {
			s.errorf("%d calls of %s with %d nodes took %d messages, not %d each", calls, c.name, count, got, c.want)
		}
		fmt.Fprintf(b, " %d | %d |", c.want, (ended.Bytes-began.Bytes)/calls)
	}
	b.WriteByte('\n')
}

// messages counts what all nodes have sent to others, but for answers to requests.
func (s *simulation) messages() (sum uint64) {
	for _, n := range s.all() {
		st := n.Stats()
		for _, c := range st.Messages {
			sum += c
		}
		for _, c := range st.Requests {
			sum += c
		}
	}
	return sum
}

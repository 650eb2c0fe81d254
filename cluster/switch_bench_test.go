//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

// BenchmarkSwitch is what the protocol costs all nodes of a cluster when one more
// joins and leaves again, with 100,000 entries copied ahead: without sockets, and
// in one goroutine, so that it depends on nothing else. Calls come all the while,
// one for each millisecond of the processors; how long they wait is told in the
// same unit.
func BenchmarkSwitch(b *testing.B) {
	for _, count := range []int{2, 4, 7} {
		b.Run(fmt.Sprint(count, " and 1"), func(b *testing.B) {
			d := newDesk(b)
			for range count {
				d.join()
			}
			for i := range 100_000 {
				d.put(fmt.Sprint("key", i))
			}
			b.ReportAllocs()
			i := 0
			d.bytes, d.used, d.waits = 0, 0, nil
			for b.Loop() {
				i++
				d.join()
				d.leave()
			}
			b.ReportMetric(float64(d.used.Microseconds())/1000/float64(i), "cpu-ms/op")
			b.ReportMetric(float64(d.bytes)/float64(i), "sent-B/op")
			slices.Sort(d.waits)
			for _, p := range []struct {
				of   float64
				name string
			}{{0.9, "p90-wait-ms"}, {0.99, "p99-wait-ms"}, {1, "longest-wait-ms"}} {
				at := min(int(p.of*float64(len(d.waits))), len(d.waits)-1)
				b.ReportMetric(float64(d.waits[at].Microseconds())/1000, p.name)
			}
		})
	}
}

// cpuTime is what the process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// desk is a cluster of nodes that are not connected: what they have to say to each
// other is carried by hand.
type desk struct {
	t     testing.TB
	nodes map[protocol.Member]*Node
	order []*Node
	space *space
	made  int
	bytes int
	used  time.Duration // of the processors, by the switches
	keys  []string

	// While a switch is measured: when the next call comes, which calls wait, and
	// how long others have waited.
	measured bool
	left     int // calls to come
	nextCall time.Duration
	calls    []waitingCall
	waits    []time.Duration
	again    []waitingCall
}

func newDesk(t testing.TB) *desk {
	return &desk{t: t, nodes: make(map[protocol.Member]*Node)}
}

// join adds a node and turns it active.
func (d *desk) join() {
	d.t.Helper()
	d.made++
	cfg, err := Config{
		Name: fmt.Sprint("n", d.made),
		dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") },
	}.withDefaults()
	if err != nil {
		d.t.Fatal(err)
	}
	n, err := newNode(cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { d.close(n) })
	n.standing.awake = math.MaxInt64 // nobody watches whether it was stopped
	n.standing.publish()
	if d.space, err = n.caches.space([]byte("c")); err != nil {
		d.t.Fatal(err)
	}
	for _, o := range d.order {
		o.members.learn(fromItself, n.members.me())
		n.members.learn(fromItself, o.members.me())
	}
	d.nodes[n.id], d.order = n, append(d.order, n)
	d.carry()
	d.copyFor(n)
	d.measure(func() { n.members.turn(active, anyState) })
	d.settled()
}

// measure notes what a change of tables costs.
func (d *desk) measure(change func()) {
	d.measured, d.nextCall, d.left = true, d.used, 300
	d.use(change)
	d.carry()
	d.measured = false
}

// use notes what the processors spend on f.
func (d *desk) use(f func()) {
	began := cpuTime()
	f()
	if d.measured {
		d.used += cpuTime() - began
	}
}

// waitingCall is a call that has come while tables change.
type waitingCall struct {
	key   string
	write bool
	since time.Duration
	next  time.Duration // when it is made, if it is not under way
	at    *localCall
}

// call lets calls come and go on.
func (d *desk) call() {
	if !d.measured || len(d.keys) == 0 {
		return
	}
	now := d.used
	for ; d.nextCall < now && d.left > 0; d.nextCall += time.Millisecond {
		d.left--
		d.calls = append(d.calls, waitingCall{key: d.keys[rand.IntN(len(d.keys))], write: rand.IntN(3) == 0, since: now, next: now})
	}
	d.calls = slices.DeleteFunc(d.calls, func(c waitingCall) bool {
		if c.at == nil && now >= c.next {
			d.make(&c)
		}
		if c.at == nil {
			d.again = append(d.again, c)
			return true
		}
		select {
		case a := <-c.at.done:
			if a.Status != protocol.NotMine && a.Status != protocol.NotExecuted {
				d.waits = append(d.waits, now-c.since)
				return true
			}
			c.at, c.next = nil, now+5*time.Millisecond
		default:
		}
		d.again = append(d.again, c)
		return true
	})
	d.calls, d.again = append(d.calls, d.again...), d.again[:0]
}

// make makes a call at the owner of its key, by the table of the node that has
// joined or leaves.
func (d *desk) make(c *waitingCall) {
	hash := d.space.hasher.hash(c.key)
	slot := slotOf(hash)
	h, _ := d.order[len(d.order)-1].members.view.Load().owner(slot)
	n := d.nodes[h.id]
	c.at = &localCall{done: make(chan protocol.Answer, 1)}
	st, p, s := n.begin(slot)
	call := p.calls.add(caller{local: c.at})
	ref, deadline := cache.Ref{Hash: hash, Cache: d.space.number, Key: c.key}, n.clock.now()+time.Hour
	if c.write {
		s.Write(protocol.WriteCall{Call: call, Ref: ref, Value: make([]byte, 200), Deadline: deadline}, n.clock.now(), &st.out)
	} else {
		s.Get(protocol.Get{Call: call, From: n.id, Ref: ref, Deadline: deadline}, n.clock.now(), &st.out)
	}
	n.end(st, p, slot)
}

func anyState(state) bool { return true }

// leave lets the node that came last leave.
func (d *desk) leave() {
	d.t.Helper()
	n := d.order[len(d.order)-1]
	d.copyWithout(n)
	d.measure(func() { n.members.turn(leaving, anyState) })
	if held := n.holding(); held > 0 {
		d.t.Fatalf("%d slots are not handed over", held)
	}
	n.members.turn(left, anyState)
	d.order = d.order[:len(d.order)-1]
	delete(d.nodes, n.id)
	for _, o := range d.order {
		o.members.depart(n.id, true)
	}
	d.carry()
	d.close(n)
	d.settled()
}

func (d *desk) close(n *Node) {
	if n.ctx.Err() == nil {
		n.cancel()
		n.running.Wait()
		n.store.Close()
		n.events.close()
	}
}

// carry brings messages from one to the other until there are none.
func (d *desk) carry() {
	d.t.Helper()
	var b []byte
	ticked := cpuTime()
	for idle := 0; ; {
		some := false
		tick := cpuTime() > ticked+2*tickEvery // of two processors
		if tick {
			ticked = cpuTime()
		}
		d.call()
		for _, n := range d.nodes {
			if tick {
				d.use(func() { n.pace.tick(n) })
			}
			some = some || n.pace.waiting.Load() > 0
			for to, l := range *n.members.linked.Load() {
				l.mu.Lock()
				b, l.out = l.out, b[:0]
				l.mu.Unlock()
				if len(b) > 0 && d.nodes[to] != nil {
					some = true
					d.bytes += len(b)
					d.use(func() { d.nodes[to].onBatch(n.id, nil, b) })
					d.call()
				}
			}
		}
		switch {
		case some:
			idle = 0
			continue
		case len(d.calls) == 0:
			return
		case idle == 1000:
			d.t.Fatalf("%d calls wait: %+v", len(d.calls), d.calls[0])
		}
		idle++
		time.Sleep(time.Millisecond) // until a message is sent again
		d.used += time.Millisecond
		for _, n := range d.nodes {
			for i := range n.parts {
				d.use(func() { n.tickPart(i, &n.parts[i]) })
			}
		}
	}
}

// settled fails where a slot is not served or not backed up.
func (d *desk) settled() {
	d.t.Helper()
	served, dropped := 0, uint64(0)
	for _, n := range d.order {
		served += n.Stats().SlotsActive
		dropped += n.counts.dropped.Load() + n.counts.malformed.Load()
	}
	if served != slotCount || dropped > 0 {
		d.t.Fatalf("%d slots of %d are served, %d messages were dropped", served, slotCount, dropped)
	}
}

// put writes an entry at its owner.
func (d *desk) put(key string) {
	d.keys = append(d.keys, key)
	hash := d.space.hasher.hash(key)
	slot := slotOf(hash)
	h, _ := d.order[0].members.view.Load().owner(slot)
	n := d.nodes[h.id]
	st, p, s := n.begin(slot)
	s.Write(protocol.WriteCall{
		Ref: cache.Ref{Hash: hash, Cache: d.space.number, Key: key}, Value: make([]byte, 200), Deadline: n.clock.now() + time.Hour,
	}, n.clock.now(), &st.out)
	n.end(st, p, slot)
	d.carry()
}

// copyFor copies ahead what a node needs to join.
func (d *desk) copyFor(n *Node) {
	v := d.order[0].members.view.Load()
	next := n.rings.of(append([]string{n.cfg.Name}, v.ring.names...), n.cfg.Backups)
	d.copyTo(v, next)
}

// copyWithout copies ahead what others need when a node leaves.
func (d *desk) copyWithout(n *Node) {
	v := n.members.view.Load()
	var names []string
	for _, o := range d.order {
		if o != n {
			names = append(names, o.cfg.Name)
		}
	}
	d.copyTo(v, n.rings.of(names, v.backups))
}

func (d *desk) copyTo(v *view, next *layout) {
	byName := make(map[string]*Node)
	for _, n := range d.order {
		byName[n.cfg.Name] = n
	}
	var w carrier
	for slot := range slotCount {
		h, ok := v.owner(slot)
		if !ok {
			continue
		}
		for _, i := range next.owners(slot) {
			to := byName[next.names[i]]
			if _, s := to.slot(slot); to.id != h.id && s.Term() == (protocol.Term{}) {
				to.staged(d.nodes[h.id].content(&w, slot, to.id))
			}
		}
	}
}

package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// stuckness says what a member still does that is stuck: its gossip lives, and its
// host accepts what is sent.
type stuckness int32

const (
	lively    stuckness = iota
	deaf                // nothing is answered on its connections, nor on new ones
	sleepwalk           // keep-alives are answered, and nothing else
)

// stuckListener is where a member listens that can be made to be stuck.
type stuckListener struct {
	net.Listener
	how *atomic.Int32
}

func (l stuckListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stuckConn{Conn: c, how: l.how}, nil
}

// stuckConn gives its reader whole frames only, and those that it is to hear.
type stuckConn struct {
	net.Conn
	how    *atomic.Int32
	opened bool
	have   []byte
}

func (c *stuckConn) Read(b []byte) (int, error) {
	for len(c.have) == 0 {
		head := make([]byte, 4)
		size := 0
		if !c.opened {
			head = make([]byte, 10) // of the opening frame
		}
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
		if c.opened {
			size = int(binary.BigEndian.Uint32(head))
		} else {
			size = int(binary.BigEndian.Uint16(head[8:]))
		}
		rest := make([]byte, size)
		if _, err := io.ReadFull(c.Conn, rest); err != nil {
			return 0, err
		}
		const typeAt, keepAlive = 4, 5
		keeps := c.opened && rest[typeAt] == keepAlive
		switch stuckness(c.how.Load()) {
		case deaf:
			keeps = false
		case sleepwalk:
			keeps = keeps || !c.opened
		default:
			keeps = true
		}
		c.opened = true
		if keeps {
			c.have = append(head, rest...)
		}
	}
	k := copy(b, c.have)
	c.have = c.have[k:]
	return k, nil
}

// flood makes calls from many goroutines and checks that each is answered in time,
// where names is set by an error that says who has not confirmed, if by any.
type flood struct {
	calls, done, named, unnamed, refused atomic.Int64
}

func (f *flood) run(s *simulation, count int, stuck []string, names bool, call func(ctx context.Context, i int) error) {
	const workers = 512
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < count; i += workers {
				begin := time.Now()
				err := call(context.Background(), i)
				if took := time.Since(begin); took > DefaultRequestTimeout+2*tickEvery {
					s.errorf("call %d took %v: %v", i, took, err)
				}
				f.calls.Add(1)
				var partial *PartialError
				switch {
				case err == nil || errors.Is(err, ErrNotFound):
					f.done.Add(1)
				case errors.Is(err, ErrOverloaded):
					f.refused.Add(1)
					time.Sleep(time.Millisecond) // and tries something else
				case errors.As(err, &partial):
					f.named.Add(1)
					for _, m := range partial.Members {
						if !slices.Contains(stuck, m) {
							s.errorf("call %d: %v", i, err)
						}
					}
				case slices.ContainsFunc(stuck, func(m string) bool { return strings.Contains(err.Error(), m) }):
					f.named.Add(1)
				case !names && errors.Is(err, ErrUnavailable):
					f.unnamed.Add(1)
				default:
					s.errorf("call %d: nobody is named by %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

func (f *flood) String() string {
	return fmt.Sprintf("%d calls: %d done, %d ended with the names of those who have not confirmed, %d without, %d refused",
		f.calls.Load(), f.done.Load(), f.named.Load(), f.unnamed.Load(), f.refused.Load())
}

// floodMemory is the budget of a node that is flooded, and floodGrows how much its
// whole process may grow meanwhile: the budget, what it charges too little for, and
// what is under way.
const (
	floodMemory = 8 << 20
	floodGrows  = 3 * floodMemory
)

// A member that is stuck, while gossip takes it for a member, does not let memory
// grow nor calls last: not of deletes that it has to confirm, of sets that it has to
// keep, or of calls to it.
func TestSimStuckMember(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute with the race detector; make test runs it without")
	}
	const count = 30_000
	long := strings.Repeat("long", 250)
	for _, how := range []stuckness{deaf, sleepwalk} {
		for _, backups := range []int{-1, 1} {
			for _, what := range []string{"delete", "set"} {
				t.Run(fmt.Sprintf("%d/%d/%s", how, backups, what), func(t *testing.T) {
					simulate(t, 1, sim.LAN(), func(s *simulation) {
						s.change = func(c *Config) { c.Backups, c.Memory = backups, floodMemory }
						first := s.join("n1")
						h, p := s.host(), atomic.Int32{}
						stuck := s.startOn(h, "n2", s.addrs(), func(c *Config) {
							listen := c.listen
							c.listen = func(ctx context.Context, network, addr string) (net.Listener, error) {
								ln, err := listen(ctx, network, addr)
								return stuckListener{ln, &p}, err
							}
						})
						s.use(stuck)
						waitActive(t, stuck.Node)
						s.agreed()
						s.linked()
						p.Store(int32(how))
						before := heap()
						var f flood
						f.run(s, count, []string{"n2"}, what == "delete", func(ctx context.Context, i int) error {
							if what == "set" {
								return first.c.Set(ctx, fmt.Sprint(long, i), make([]byte, 1000))
							}
							return first.c.Delete(ctx, fmt.Sprint(long, i))
						})
						grown := heap() - before
						t.Logf("%v; the heap has grown by %d KiB", &f, grown>>10)
						if grown > floodGrows {
							s.errorf("the heap has grown by %d bytes, over %d", grown, floodGrows)
						}
						if f.named.Load() == 0 {
							s.errorf("no call had to wait for the member that is stuck")
						}
						if backups > 0 && f.refused.Load() == 0 {
							s.errorf("%d writes that are not confirmed, and none was refused", f.named.Load())
						}
						if len(first.Members()) != 2 {
							s.errorf("the member was dropped")
						}
						p.Store(int32(lively))
						for _, n := range s.all() { // as at the end of every test
							s.drop(n)
							_ = n.Close()
						}
					})
				})
			}
		}
	}
}

// A million deletes on a node that is cut off, from the cut on until it is alone and
// after.
func TestSimIsolatedDeletes(t *testing.T) {
	count := 1_000_000
	if testing.Short() {
		count = 50_000
	}
	simulate(t, 1, sim.LAN(), func(s *simulation) {
		s.change = func(c *Config) { c.Backups, c.Memory = 1, floodMemory }
		nodes := s.cluster(3)
		s.fill(1000)
		for _, n := range nodes[1:] {
			s.net.Split([]string{nodes[0].host.Name()}, []string{n.host.Name()}, sim.BlackHole)
		}
		before := heap()
		var f flood
		f.run(s, count, []string{"n2", "n3"}, false, func(ctx context.Context, i int) error {
			return nodes[0].c.Delete(ctx, fmt.Sprint("key", i))
		})
		grown := heap() - before
		t.Logf("%v; the heap has grown by %d KiB", &f, grown>>10)
		if grown > floodGrows {
			s.errorf("the heap has grown by %d bytes, over %d", grown, floodGrows)
		}
		// While a slot is taken anew, when the first of the two is out, there is nothing
		// yet that somebody could confirm.
		if f.unnamed.Load() > f.named.Load()/10 || f.done.Load() < f.calls.Load()/2 {
			s.errorf("%v", &f)
		}
		s.net.Heal()
		s.agreed()
		for _, n := range nodes {
			if err := n.c.Set(context.Background(), "after", []byte("all")); err != nil {
				s.errorf("%v", err)
			}
		}
	})
}

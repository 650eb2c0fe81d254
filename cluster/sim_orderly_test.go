package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// scenario is an orderly life of a cluster, made from a seed.
type scenario struct {
	*simulation
	r       *rand.Rand
	most    int
	entries int
	names   int
	changes int // joins and leaves
	backups int
	uneven  bool // the ways between hosts differ, by up to a hundred times
	story   []string
}

func (s *scenario) say(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf("%10v ", time.Since(s.start).Round(time.Microsecond))+fmt.Sprintf(format, args...))
}

// maxChanges bounds a scenario by what costs most: tables for everybody.
const maxChanges = 8

// newScenario draws what stays the same all the time.
func newScenario(s *simulation) *scenario {
	sc := &scenario{simulation: s, r: rand.New(rand.NewPCG(s.seed, 1))}
	s.near = []time.Duration{-1, 100 * time.Millisecond, time.Second, DefaultNearTTL}[sc.r.IntN(4)]
	sc.most = 1 + sc.r.IntN(7)
	sc.entries = 100 + sc.r.IntN(400)
	sc.backups = int(s.seed % 3)
	s.change = backups(sc.backups)
	if sc.r.IntN(4) == 0 {
		sc.secret = "a secret of the simulation"
	}
	if sc.r.IntN(2) == 0 {
		sc.uneven = true
		s.links = uneven(rand.New(rand.NewPCG(s.seed, 5)))
	}
	return sc
}

// uneven makes ways that are as fast as a LAN's, or up to a hundred times
// slower, so that messages between three nodes come in the oddest orders.
func uneven(r *rand.Rand) func() sim.Link {
	return func() sim.Link {
		latency := time.Duration(200*math.Pow(100, r.Float64())) * time.Microsecond
		return sim.Link{Latency: latency, Jitter: latency}
	}
}

func (s *scenario) name() string {
	s.names++
	return fmt.Sprint("n", s.names)
}

// run lives through all of it.
func (s *scenario) run() {
	first := 1 + s.r.IntN(s.most)
	s.say("%d nodes at first, %d at most, %d backups, near copies for %v, uneven links: %v, secret: %q", first, s.most, s.backups, s.near, s.uneven, s.secret)
	for range first {
		s.join(s.name())
	}
	s.agreed()
	s.fill(s.entries)
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for i := range 2 + s.r.IntN(6) {
		clients.Go(func() { s.client(ctx, i) })
	}
	for steps := 3 + s.r.IntN(4); steps > 0 && s.changes < maxChanges; steps-- {
		time.Sleep(time.Duration(s.r.IntN(400)) * time.Millisecond)
		s.step()
	}
	time.Sleep(100 * time.Millisecond)
	stop()
	clients.Wait()
	s.agreed()
	s.say("the end")
	s.noneLost(s.entries)
	for len(s.all()) > 1 && s.r.IntN(2) == 0 {
		s.leave(s.pick(s.r))
	}
	s.noneLost(s.entries)
}

// step lets one thing happen. Calls go on meanwhile.
func (s *scenario) step() {
	nodes := s.all()
	switch what := s.r.IntN(6); {
	case what == 0 && len(nodes)+1 < s.most:
		s.say("two join at once")
		s.changes += 2
		var wg sync.WaitGroup
		for range 2 {
			name, h := s.name(), s.host()
			wg.Go(func() { s.joinOn(h, name) })
		}
		wg.Wait()
	case what <= 1 && len(nodes) < s.most:
		name := s.name()
		s.say("%s joins", name)
		s.changes++
		s.join(name)
	case what == 2 && len(nodes) > 2:
		s.say("two leave at once")
		s.changes += 2
		var wg sync.WaitGroup
		for range 2 {
			n := s.pick(s.r)
			s.drop(n)
			wg.Go(func() { s.leave(n) })
		}
		wg.Wait()
	case what == 3 && len(nodes) > 1:
		n := s.pick(s.r)
		s.say("%s leaves", n.Name())
		s.changes++
		s.leave(n)
	case what == 4 && len(nodes) > 1:
		s.say("all are restarted, one after another")
		s.changes += 2 * len(nodes)
		for _, n := range nodes {
			s.leave(n)
			s.joinOn(n.host, n.Name())
		}
	default:
		s.say("quiet")
	}
}

// pick returns one of the nodes.
func (s *simulation) pick(r *rand.Rand) *simNode {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nodes[r.IntN(len(s.nodes))]
}

// client makes random calls, which must not fail, until the context ends.
func (s *simulation) client(ctx context.Context, id int) {
	r := rand.New(rand.NewPCG(s.seed, 100+uint64(id)))
	for ctx.Err() == nil {
		s.call(id, r)
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
	}
}

// call makes a random call. Keys change with time, so that their histories stay
// short.
func (s *simulation) call(id int, r *rand.Rand) {
	epoch := time.Since(s.start) / (50 * time.Millisecond)
	key := fmt.Sprintf("hot%d/%d", r.IntN(4), epoch/4)
	if r.IntN(3) == 0 {
		key = fmt.Sprintf("warm%d/%d", r.IntN(30), epoch/40)
	}
	n := s.pick(r)
	begin := s.history.now()
	ctx := context.Background()
	var err error
	switch p := r.IntN(1000); {
	case p < 100:
		keys := []string{key, fmt.Sprintf("hot%d/%d", r.IntN(4), epoch/4)}
		var got map[string][]byte
		if got, err = n.c.GetMany(ctx, keys); err == nil {
			for i, key := range keys { // as two clients, since they are two calls
				s.history.add(id+100*i, key, input{}, string(got[key]), begin, s.history.now())
			}
			return
		}
	case p < 700:
		var v []byte
		if v, err = n.c.Get(ctx, key); err == nil || errors.Is(err, ErrNotFound) {
			s.history.add(id, key, input{}, string(v), begin, s.history.now())
			return
		}
	case p < 900:
		v := fmt.Sprint(s.values.Add(1))
		err = n.c.Set(ctx, key, []byte(v))
		s.wrote(id, key, v, begin, err)
	case p < 995:
		err = n.c.Delete(ctx, key)
		s.wrote(id, key, "", begin, err)
	default:
		err = n.c.Clear(ctx)
		end := s.history.now()
		if err != nil {
			end = never
		}
		s.history.clear(id, begin, end)
	}
	var partial *PartialError
	if err != nil && !errors.Is(err, ErrClosed) && !(s.mayFail && (errors.Is(err, ErrUnavailable) || errors.As(err, &partial))) {
		s.errorf("after %v: a call on %s failed: %v", time.Since(s.start), n.Name(), err)
	}
}

func (s *simulation) wrote(id int, key, value string, begin int64, err error) {
	end := s.history.now()
	if err != nil {
		end = never
	}
	s.history.add(id, key, input{write: true, value: value}, "", begin, end)
}

// P1 and P2 in an orderly life: from 1 to 7 nodes that join, leave and are
// restarted, alone and together, no call fails, no read is stale, and nothing is
// lost. A seed that fails is run again with -sim.seed.
func TestSimOrderly(t *testing.T) {
	eachSeed(t, 0, func(t *testing.T, seed uint64) {
		var sc *scenario
		defer func() {
			if t.Failed() && sc != nil {
				t.Log(strings.Join(sc.story, "\n"))
			}
		}()
		simulate(t, seed, sim.LAN(), func(s *simulation) {
			sc = newScenario(s)
			sc.run()
		})
	})
}

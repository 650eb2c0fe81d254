package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// storm is a plan as it is lived through. Calls are made all the while; what is
// checked in the end is told by the promises' names.
type storm struct {
	*simulation
	plan   *plan
	log    *chronicle
	torn   torn
	unsafe torn // when P1 is not promised
	kept   keeper
	loads  loaders
	over   chan struct{}  // closed when the clients are to stop
	ending sync.WaitGroup // nodes that are being closed, and what befalls the others

	// stormMu guards what follows.
	stormMu sync.Mutex
	seats   []*seat
	lives   []*life // all that ever were
	ways    []*alteration
	story   []string
	wrongs  map[string]int // how often each promise was broken
	first   string         // the first one in words
	addrNum int

	faultsFrom time.Duration // when the plan's time began

	agreedAfter, sameAfter time.Duration // healing took so long
	checked, keptCount     int           // calls that lie where P1 is promised, entries that must be there
}

// seat is a host and the name of the node that runs on it.
type seat struct {
	name string
	host *sim.Host
	life *life // the last one; nil: none yet
}

// life is one run of a node.
type life struct {
	*simNode
	fill  *Cache[[]byte] // with a loader
	stall stall

	// storm.stormMu guards what follows.
	killed time.Duration // forEver: it was not
	left   bool          // Leave has returned
	late   time.Duration // when it did: it is called for some time after that
	frozen bool
	frosts []span
}

func (s *storm) say(format string, args ...any) {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	s.story = append(s.story, fmt.Sprintf("%10v ", s.log.now().Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// wrong reports a broken promise.
func (s *storm) wrong(promise, format string, args ...any) {
	s.stormMu.Lock()
	s.wrongs[promise]++
	many := s.wrongs[promise]
	text := promise + ": " + fmt.Sprintf(format, args...)
	if s.first == "" {
		s.first = text
	}
	s.stormMu.Unlock()
	if many <= 3 || s.wantsFaults {
		s.errorf("%s", text)
	}
}

// living lists the nodes whose process runs and that have not left.
func (s *storm) living() []*life {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.lives), func(a *life) bool { return !a.up() })
}

func (a *life) up() bool { return a.killed == forEver && !a.left && !a.shut.Load() }

func (s *storm) up(a *life) bool {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	return a.up()
}

// alteration is something that is done to the ways between hosts for a while.
type alteration struct {
	what func(from, to string, l *sim.Link)
	off  bool // at the moment
}

// alter puts all alterations that there are into effect. It is called with
// stormMu held.
func (s *storm) alter() {
	for _, a := range s.seats {
		for _, b := range s.seats {
			if a == b {
				continue
			}
			from, to := a.host.Name(), b.host.Name()
			l := s.wayBetween(from, to)
			for _, x := range s.ways {
				if !x.off {
					x.what(from, to, &l)
				}
			}
			if l != s.net.Link(from, to) {
				s.net.SetLink(from, to, l)
			}
		}
	}
}

// wayBetween is what a way is like with no alteration.
func (s *storm) wayBetween(from, to string) sim.Link {
	if !s.plan.uneven {
		return sim.LAN()
	}
	h := uint64(17)
	for _, c := range []byte(from + ">" + to) {
		h = h*31 + uint64(c)
	}
	return uneven(rand.New(rand.NewPCG(s.seed, h)))()
}

// during puts an alteration into effect and returns what ends it.
func (s *storm) during(what func(from, to string, l *sim.Link)) (x *alteration, end func()) {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	x = &alteration{what: what}
	s.ways = append(s.ways, x)
	s.alter()
	return x, func() {
		s.stormMu.Lock()
		defer s.stormMu.Unlock()
		s.ways = slices.DeleteFunc(s.ways, func(o *alteration) bool { return o == x })
		s.alter()
	}
}

func (s *storm) newAddr() string {
	s.addrNum++
	return fmt.Sprintf("127.1.%d.%d", s.addrNum/250, s.addrNum%250+1)
}

// seatOf returns a host that is there.
func (s *storm) seatOf(i int) *seat {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	return s.seats[i]
}

// seat adds a host.
func (s *storm) seat(i int, r *rand.Rand) *seat {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	for len(s.seats) <= i {
		name := seatName(len(s.seats))
		st := &seat{name: name, host: s.net.Host("host of "+name, s.newAddr())}
		if s.plan.skewed && !oneIn(r, 3) {
			st.host.SetClock(skew(r), (r.Float64()-0.5)/100)
		}
		s.seats = append(s.seats, st)
	}
	s.alter()
	return s.seats[i]
}

// launch starts a node on its seat. It is called at from its first moment on.
func (s *storm) launch(st *seat) *life {
	s.stormMu.Lock()
	var join []string
	for _, o := range s.seats {
		join = append(join, o.host.Addr()+simPort)
	}
	s.stormMu.Unlock()
	a := &life{killed: forEver}
	a.simNode = s.startOn(st.host, st.name, join, func(c *Config) {
		c.NearTTL, c.Memory, c.Backups, c.Fence = s.plan.near, s.plan.memory, s.plan.backups, s.plan.fence
		c.stall = a.stall.wait
		if c.Memory < 64<<20 {
			c.MaxValue = 1 << 10
		}
		if s.plan.secret {
			c.Secret = "a secret of the simulation"
		}
		if c.Backups == 0 {
			c.Backups = -1
		}
	})
	a.fill = s.loads.open(s, a)
	events, _ := a.Events()
	s.use(a.simNode)
	s.stormMu.Lock()
	st.life = a
	s.lives = append(s.lives, a)
	s.stormMu.Unlock()
	s.ending.Go(func() { s.listen(a, events) }) // ends with the node
	return a
}

// kill ends a node's process at once.
func (s *storm) kill(a *life, power bool) {
	s.stormMu.Lock()
	a.killed = s.log.now()
	s.stormMu.Unlock()
	s.kept.kill(s.log.now(), len(s.living())+1, s.plan.backups, s.torn.now())
	s.drop(a.simNode)
	if power {
		a.host.Crash()
	} else {
		a.proc.Kill()
	}
	s.ending.Go(func() { _ = a.Close() }) // what is left of it is only memory
}

// A node that could not hand over in time closes all the same, which takes as long
// as its connections and its gossip may linger.
const (
	leaveWithin = 10 * time.Second
	closeWithin = 8 * time.Second
)

// goodbye lets a node leave in order.
func (s *storm) goodbye(a *life) {
	begun := s.log.now()
	table := a.members.view.Load().table.Members
	// It hands over to those that it knows: who lives beside them may have just been
	// started, and be cut off from it.
	alone := !slices.ContainsFunc(s.living(), func(b *life) bool { return b != a && slices.Contains(table, b.id) })
	ctx, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	err := a.Leave(ctx)
	now := s.log.now()
	s.stormMu.Lock()
	a.left, a.late = true, now
	s.stormMu.Unlock()
	s.drop(a.simNode)
	if took := now - begun; took > leaveWithin+closeWithin {
		s.wrong("P4", "%s took %v to leave", a.Name(), took)
	}
	if err != nil {
		s.say("%s left after %v: %v", a.Name(), now-begun, err)
	}
	if err != nil || s.torn.during(span{begun, now + 1}) || len(s.living()) == 0 || alone {
		s.kept.lossy(now)
	}
	s.ending.Go(func() { _ = a.Close() }) // Leave may have been given up
}

// run lives through all of it.
func (s *storm) run() {
	r := rand.New(rand.NewPCG(s.seed, 12))
	s.tear(0, false)
	for i := range s.plan.nodes {
		s.seat(i, r)
	}
	for i := range s.plan.nodes {
		a := s.launch(s.seats[i])
		if !s.plan.together {
			s.await(30*time.Second, func() bool { return s.isActive(a) })
		}
	}
	watched := make(chan struct{})
	s.ending.Go(func() { s.watch(watched) })
	if !s.await(30*time.Second, func() bool { return whole(s.living()) && s.allActive() }) {
		s.wrong("P3", "the first nodes have not become one cluster within 30 s: %s", s.state())
	}
	s.plan.lasts += s.log.now() // faults begin now
	s.faultsFrom = s.log.now()
	var clients sync.WaitGroup
	bursts := s.bursts()
	for i := range s.plan.clients {
		clients.Go(func() { s.calls(i, bursts) })
	}
	clients.Go(func() { s.keep(rand.New(rand.NewPCG(s.seed, 13))) })
	var faults sync.WaitGroup
	for i := range s.plan.strikes {
		faults.Go(func() { s.befall(&s.plan.strikes[i]) })
	}
	faults.Wait()
	time.Sleep(s.plan.lasts - min(s.log.now(), s.plan.lasts))
	s.heal()
	close(s.over)
	clients.Wait()
	s.verdict()
	close(watched)
	s.closeAll()
	s.ending.Wait()
}

// await waits for a condition, and tells whether it came about in time.
func (s *storm) await(atMost time.Duration, f func() bool) bool {
	end := time.Now().Add(atMost)
	for !f() {
		if !time.Now().Before(end) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

func (s *storm) isActive(a *life) bool {
	select {
	case <-a.Active():
		return true
	default:
		return false
	}
}

func (s *storm) allActive() bool {
	return !slices.ContainsFunc(s.living(), func(a *life) bool { return !s.isActive(a) })
}

// state says what each living node knows of the others.
func (s *storm) state() string {
	text := ""
	for _, a := range s.living() {
		v := a.members.view.Load()
		var names []string
		for _, h := range v.holders {
			names = append(names, h.name)
		}
		text += fmt.Sprintf("\n  %s (%v) has the table %x of %d members with %s, serves %d of %d slots", a.Name(), a.Ready(), v.table.Digest&0xffff, len(v.table.Members), strings.Join(names, ", "), a.activeSlots.Load(), v.owned)
	}
	return text
}

// TestSim lets faults by chance befall clusters of real nodes, in virtual time,
// and checks the promises. What a seed chooses is a plan, which a failure
// prints; -sim.seed runs it again.
//
// What is determined by the seed: the plan (sizes, faults, their times and
// victims), the calls that each client tries and when its bursts begin, clocks,
// and the latency and loss of the k-th thing that goes each way. What is not:
// which of the goroutines that can run at the same instant of virtual time does
// so first, and with it the order of what they send; incarnations, certificates
// and memberlist's choice of whom to probe and to gossip to, which come from
// sources of their own. So a second run has the same story, but not the same
// messages: what was found once in so many runs is found again in about as many
// (-sim.again runs a seed so often).
func TestSim(t *testing.T) {
	eachSeed(t, storms, func(t *testing.T, seed uint64) {
		for range *simAgain {
			runStorm(t, seed, nil)
			if t.Failed() {
				return
			}
		}
	})
}

// report says what a run was worth.
func (s *storm) report(t *testing.T) {
	simTotals.calls.Add(int64(s.log.count))
	stormTotals.add("blows", len(s.plan.strikes))
	stormTotals.add("calls", s.log.count)
	stormTotals.add("calls where P1 is promised", s.checked)
	stormTotals.add("entries that had to be there", s.keptCount)
	stormTotals.add("times torn", len(s.torn.spans))
	stormTotals.most("longest until all agree, ms", int(s.agreedAfter.Milliseconds()))
	stormTotals.most("longest until all answer the same, ms", int(s.sameAfter.Milliseconds()))
	if *simSeeds > 1 {
		return
	}
	t.Logf("seed %d: %d nodes, %d blows in %v, %d calls, %d of them where P1 is promised; torn %d times, for %v at most; healed after %v, the same answers after %v; %d entries had to be there",
		s.seed, s.plan.nodes, len(s.plan.strikes), s.plan.lasts.Round(time.Second), s.log.count, s.checked, len(s.torn.spans), s.torn.longest(s.plan.lasts).Round(time.Millisecond), s.agreedAfter, s.sameAfter, s.keptCount)
}

// runStorm lives through the plan of a seed.
func runStorm(t *testing.T, seed uint64, change func(*storm)) *storm {
	var st *storm
	defer func() {
		if t.Failed() && st != nil {
			t.Logf("seed %d: %v", seed, st.plan)
			t.Log("what happened:\n" + strings.Join(st.story, "\n"))
		}
	}()
	simulate(t, seed, sim.LAN(), func(s *simulation) {
		st = &storm{
			simulation: s, plan: newPlan(seed), log: newChronicle(), over: make(chan struct{}), wrongs: make(map[string]int),
		}
		s.quiet = true
		if change != nil {
			change(st)
		}
		st.run()
	})
	st.judge(t)
	if !st.wantsFaults {
		st.report(t)
	}
	return st
}

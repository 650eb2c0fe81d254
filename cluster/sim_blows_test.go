package cluster

import (
	"slices"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// sleep waits for some time, at most until the faults are to end, and tells
// whether they go on.
func (s *storm) sleep(d time.Duration) bool {
	left := s.plan.lasts - s.log.now()
	time.Sleep(max(min(d, left), 0))
	return d < left
}

// befall lets one thing happen, and ends it.
func (s *storm) befall(k *strike) {
	s.sleep(s.faultsFrom + k.at - s.log.now())
	s.say("%v", k)
	switch k.blow {
	case blowCrash, blowLeave:
		s.away(k)
	case blowJoin:
		for i, num := range k.seats {
			time.Sleep(time.Duration(i) * 7 * time.Millisecond)
			s.launch(s.seat(num, s.chance(k)))
		}
	case blowFreeze:
		s.freezes(k)
	case blowSplit, blowFlap:
		s.cuts(k)
	case blowBreak:
		s.breaks(k)
	case blowLoss:
		_, end := s.during(func(_, _ string, l *sim.Link) { l.Loss = 1 - (1-l.Loss)*(1-k.loss) })
		defer end()
		s.sleep(k.lasts)
	case blowSlow:
		_, end := s.during(slower(s.seatOf(k.seats[0]).host.Name(), k.link))
		defer end()
		s.sleep(k.lasts)
	case blowJump:
		until := s.log.now() + k.lasts
		for by := k.ahead; s.log.now() < until && s.sleep(k.every); by = -by {
			s.seatOf(k.seats[0]).host.JumpClock(by)
		}
	}
	if k.blow != blowJoin {
		defer s.say("over: %v", k)
	}
}

// away takes a node away and brings it back.
func (s *storm) away(k *strike) {
	st := s.seatOf(k.seats[0])
	a := st.life
	if !s.up(a) {
		return
	}
	if k.blow == blowLeave {
		s.goodbye(a)
		s.lateCalls(a, s.chance(k))
	} else {
		s.kill(a, k.power)
	}
	if k.never {
		return
	}
	s.sleep(k.lasts)
	if s.runsOn(st) != a {
		return // it was killed while it left, and has been brought back
	}
	addr := ""
	if k.moved {
		s.stormMu.Lock()
		addr = s.newAddr()
		s.stormMu.Unlock()
	}
	if k.power && k.blow == blowCrash || k.moved {
		st.host.Restart(addr)
	}
	s.launch(st)
}

// runsOn returns the last run of a node on its seat.
func (s *storm) runsOn(st *seat) *life {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	return st.life
}

// slower makes all ways of a host so much slower.
func slower(host string, by sim.Link) func(from, to string, l *sim.Link) {
	return func(from, to string, l *sim.Link) {
		if from == host || to == host {
			l.Latency += by.Latency
			l.Jitter += by.Jitter
			if by.Bandwidth > 0 {
				l.Bandwidth = by.Bandwidth
			}
		}
	}
}

func (s *storm) freezes(k *strike) {
	a := s.seatOf(k.seats[0]).life
	if !s.up(a) {
		return
	}
	keys := s.lastCalls(a)
	s.stormMu.Lock()
	a.frozen = true
	a.frosts = append(a.frosts, span{s.log.now(), forEver})
	s.stormMu.Unlock()
	a.stall.stop()
	a.proc.Freeze()
	s.sleep(k.lasts)
	r := s.chance(k)
	slow := oneIn(r, 2)
	s.missedCalls(keys, r)
	if slow { // it hears late of what it has missed
		late := between(r, 50*time.Millisecond, 500*time.Millisecond)
		s.say("%s goes on, and all its ways take %v more", a.Name(), late)
		_, end := s.during(slower(a.host.Name(), sim.Link{Latency: late}))
		defer end()
	}
	a.proc.Thaw()
	s.stormMu.Lock()
	a.frozen = false // an application may be quicker to go on than the node
	s.stormMu.Unlock()
	s.ending.Go(func() { s.wokenCalls(a, keys) }) // ends soon
	time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
	s.stormMu.Lock()
	a.frosts[len(a.frosts)-1].to = s.log.now()
	s.stormMu.Unlock()
	a.stall.resume()
	time.Sleep(time.Second)
	a.standing.mu.Lock()
	sleeps := a.standing.sleeps
	a.standing.mu.Unlock()
	stormTotals.add("times frozen", 1)
	stormTotals.add("times woken", int(min(sleeps, 1)))
}

func (s *storm) cuts(k *strike) {
	side := make(map[string]bool)
	for _, i := range k.seats {
		side[s.seatOf(i).host.Name()] = true
	}
	x, end := s.during(func(from, to string, l *sim.Link) {
		out, in := side[from] && !side[to], side[to] && !side[from]
		if out && k.oneWay != 2 || in && k.oneWay != 1 {
			l.Cut = max(l.Cut, k.cut)
		}
	})
	defer end()
	if k.blow == blowSplit {
		s.sleep(k.lasts)
		return
	}
	until := s.log.now() + k.lasts
	for s.log.now() < until && s.sleep(k.every) {
		s.stormMu.Lock()
		x.off = !x.off
		s.alter()
		s.stormMu.Unlock()
	}
}

func (s *storm) breaks(k *strike) {
	a, b := s.seatOf(k.seats[0]).host.Name(), s.seatOf(k.seats[1]).host.Name()
	until := s.log.now() + k.lasts
	for s.log.now() < until && s.sleep(k.every) {
		s.net.Break(a, b)
	}
}

// heal ends all that is left. Every blow ends itself by then; this makes sure.
func (s *storm) heal() {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	s.ways = nil
	s.alter()
}

// frosted tells whether a node was frozen at some time of a span. It is called with stormMu
// held.
func (a *life) frosted(in span) bool {
	return slices.ContainsFunc(a.frosts, func(f span) bool { return f.from <= in.to && in.from <= f.to })
}

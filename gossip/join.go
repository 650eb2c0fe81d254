package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// How long the seeker pauses between two tries: it doubles from the first to
// the longest, less up to half at random.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 15 * time.Second
)

// backoff says when to try something again. The zero value says at once.
type backoff struct {
	next  time.Time
	pause time.Duration
}

func (b *backoff) due(now time.Time) bool { return !b.next.After(now) }

// failed makes the pause longer.
func (b *backoff) failed(now time.Time) {
	b.pause = min(max(2*b.pause, firstPause), longestPause)
	b.next = now.Add(jitter(b.pause))
}

// rest pauses as long as it gets.
func (b *backoff) rest(now time.Time) {
	b.pause = longestPause
	b.next = now.Add(jitter(b.pause))
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// seeker looks for others as long as the node lives: the seeds, since somebody
// new may be behind them and nobody else tells of two clusters that started
// apart, and the members that have failed. All but grave is owned by its
// goroutine.
type seeker struct {
	g     *Gossip
	seeds []*wanted
	own   map[string]bool // addresses of this node
	grave *graveyard

	joined bool // somebody has been found
	warned time.Time
}

// wanted is a seed and when to look for it.
type wanted struct {
	seed
	backoff
	found bool // all its addresses have led to other nodes once, or it is this one's
}

// candidate is an address to try, and whom to tell how it went.
type candidate struct {
	addr string
	from []*backoff
	err  error
	own  bool // it is this node
	done bool // it answered, or need not be asked
}

const maxTries = 16 // at once

// seek looks for others until the node is closed.
func (g *Gossip) seek() {
	s := &seeker{g: g, own: g.ownAddrs(), grave: g.dead}
	for _, sd := range g.cfg.seeds {
		s.seeds = append(s.seeds, &wanted{seed: sd})
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-timer.C:
		case <-g.dead.wake:
		}
		s.round(g.ctx)
		timer.Reset(s.pause())
	}
}

func (s *seeker) round(ctx context.Context) {
	now := time.Now()
	if s.joined && s.g.members.count() == 0 {
		s.joined = false
		for _, w := range s.seeds {
			w.backoff = backoff{}
		}
	}
	all := make(map[string]*candidate)
	add := func(addr string, from *backoff) {
		c := all[addr]
		if c == nil {
			c = &candidate{addr: addr}
			all[addr] = c
		}
		c.from = append(c.from, from)
	}
	var due []*wanted
	for _, w := range s.seeds {
		if w.due(now) {
			due = append(due, w)
		}
	}
	dead := s.grave.due(now)
	if len(due)+len(dead) == 0 {
		return
	}
	s.resolve(ctx, due, add)
	for _, d := range dead {
		add(d.addr, &d.backoff)
	}
	s.try(ctx, all)
	if ctx.Err() != nil {
		return
	}
	s.judge(all, due)
	for _, d := range dead {
		d.failed(time.Now()) // who is a member again was forgotten
	}
	s.grave.keep(dead)
}

// resolve finds the addresses of the seeds that are due.
func (s *seeker) resolve(ctx context.Context, due []*wanted, add func(string, *backoff)) {
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	var (
		wg sync.WaitGroup
		mu sync.Mutex // guards what add writes
	)
	names := make(chan *wanted)
	for range min(maxTries, len(due)) {
		wg.Add(1)
		go func() { // ends when names is closed
			defer wg.Done()
			for w := range names {
				found, err := s.g.cfg.Resolver.LookupNetIP(ctx, "ip", w.host)
				if err != nil {
					s.g.log.Debug("gossip: a name does not resolve", "name", w.host, "err", err)
				}
				mu.Lock()
				for _, a := range found {
					add(netip.AddrPortFrom(a.Unmap(), w.port).String(), &w.backoff)
				}
				mu.Unlock()
			}
		}()
	}
	for _, w := range due {
		if !w.addr.IsValid() {
			names <- w
			continue
		}
		mu.Lock()
		add(netip.AddrPortFrom(w.addr, w.port).String(), &w.backoff)
		mu.Unlock()
	}
	close(names)
	wg.Wait()
}

// try asks all candidates, in random order and several at once. Who has become a
// member meanwhile need not be asked: joining one of many is enough.
func (s *seeker) try(ctx context.Context, all map[string]*candidate) {
	list := make([]*candidate, 0, len(all))
	for addr, c := range all {
		if s.own[addr] {
			c.done, c.own = true, true
		} else {
			list = append(list, c)
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var wg sync.WaitGroup
	turn := make(chan *candidate)
	for range min(maxTries, len(list)) {
		wg.Add(1)
		go func() { // ends when turn is closed
			defer wg.Done()
			for c := range turn {
				if s.g.members.at(c.addr) {
					c.done = true
				} else if c.err = s.g.ask(c.addr); c.err == nil {
					c.done = true
				}
			}
		}()
	}
	for _, c := range list {
		if ctx.Err() != nil {
			break
		}
		turn <- c
	}
	close(turn)
	wg.Wait()
}

// judge says when to try again, and logs what a person wants to know.
func (s *seeker) judge(all map[string]*candidate, due []*wanted) {
	now := time.Now()
	var foreign, failed error
	reached := make(map[*backoff]bool) // false: an address of it did not answer
	another := make(map[*backoff]bool) // an address of it is not this node's
	for _, c := range all {
		for _, b := range c.from {
			another[b] = another[b] || !c.own
			before, known := reached[b]
			reached[b] = c.done && (before || !known)
		}
		switch {
		case errors.Is(c.err, errForeign):
			foreign = fmt.Errorf("%s: %w", c.addr, c.err)
		case c.err != nil:
			failed = fmt.Errorf("%s: %w", c.addr, c.err)
		}
	}
	others := s.g.members.count()
	for _, w := range due {
		led := another[&w.backoff] && others > 0 || !another[&w.backoff] && w.addr.IsValid()
		if reached[&w.backoff] && led && !w.found {
			w.found = true
			s.g.sought.Add(-1)
		}
		if reached[&w.backoff] && others > 0 {
			w.rest(now)
		} else {
			w.failed(now)
		}
	}
	s.tell(others, foreign, failed, now)
}

// tell logs that others were found, or, once a minute, why not.
func (s *seeker) tell(others int, foreign, failed error, now time.Time) {
	if others > 0 && !s.joined {
		s.joined = true
		s.g.log.Info("gossip: found others", "members", others)
	}
	if !s.warned.IsZero() && now.Sub(s.warned) < time.Minute {
		return
	}
	switch {
	case foreign != nil:
		s.g.log.Warn("gossip: a node cannot be joined", "err", foreign)
	case others > 0 || len(s.seeds) == 0:
		return
	case failed == nil:
		s.g.log.Info("gossip: nobody is there yet: Join leads to no other address")
	case s.warned.IsZero():
		s.g.log.Info("gossip: nobody is there yet, trying on", "err", failed)
	default:
		s.g.log.Warn("gossip: nobody has answered, trying on", "err", failed)
	}
	s.warned = now
}

// pause returns how long until something is due.
func (s *seeker) pause() time.Duration {
	now := time.Now()
	wait := longestPause
	for _, w := range s.seeds {
		wait = min(wait, w.next.Sub(now))
	}
	if next, ok := s.grave.next(); ok {
		wait = min(wait, next.Sub(now))
	}
	return max(wait, 10*time.Millisecond)
}

package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// chance is a source of what is drawn while a strike goes on.
func (s *storm) chance(k *strike) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed, uint64(k.at)))
}

// burst is when all clients make calls for a while.
type burst struct {
	at    time.Duration
	lasts time.Duration
	vigil bool // it lasts from before something befalls somebody until after that
	keys  int  // a vigil's: of the strike that begins or ends
}

// A vigil is as long as it takes until a node that says nothing is taken for
// dead and its slots are served elsewhere.
const (
	vigilBefore = 400 * time.Millisecond
	vigilFor    = 5 * time.Second
	burstFor    = 3 * time.Second
	maxVigils   = 5 // pairs
)

// bursts draws them: some around the moments at which something begins or ends
// to befall somebody, some soon after, the others at any time.
func (s *storm) bursts() []burst {
	r := rand.New(rand.NewPCG(s.seed, 14))
	var moments []time.Duration
	for _, k := range s.plan.strikes {
		moments = append(moments, k.at, k.at+k.lasts)
	}
	total := s.plan.lasts - s.faultsFrom
	var list []burst
	for i := range s.plan.bursts {
		b := burst{at: time.Duration(r.Int64N(int64(total))), lasts: burstFor}
		if i%2 == 0 && len(moments) > 0 {
			b.at = moments[r.IntN(len(moments))] + between(r, time.Millisecond, 6*time.Second)
		}
		list = append(list, b)
	}
	// One as something begins, and one on the same keys as it ends.
	for _, i := range r.Perm(len(s.plan.strikes))[:min(len(s.plan.strikes), maxVigils)] {
		for _, at := range moments[2*i : 2*i+2] {
			list = append(list, burst{at: max(at-vigilBefore, 0), lasts: vigilFor, vigil: true, keys: i})
		}
	}
	for i := range list {
		list[i].at = min(list[i].at, total)
	}
	slices.SortStableFunc(list, func(a, b burst) int { return cmp.Compare(a.at, b.at) })
	return list
}

// calls makes random calls, in bursts.
func (s *storm) calls(id int, bursts []burst) {
	r := rand.New(rand.NewPCG(s.seed, 100+uint64(id)))
	for num, b := range bursts {
		wait := s.faultsFrom + b.at + time.Duration(r.IntN(100))*time.Millisecond - s.log.now()
		select {
		case <-s.over:
			return
		case <-time.After(max(wait, 0)):
		}
		for begun := s.log.now(); s.log.now()-begun < b.lasts && (b.vigil || r.IntN(24) > 0); {
			s.call(id, b, num, r)
			pause := 50 * time.Microsecond
			if b.vigil {
				pause = 10 * time.Millisecond
			}
			time.Sleep(between(r, pause, 60*time.Millisecond))
		}
	}
}

// lateFor is how long a node is called after it has left.
const lateFor = time.Second

// pick returns a node to call: one whose application runs, or one that has just
// left. Nobody calls a node whose process is frozen.
func (s *storm) pick(r *rand.Rand) *life {
	s.stormMu.Lock()
	defer s.stormMu.Unlock()
	now := s.log.now()
	var can []*life
	for _, a := range s.lives {
		if !a.frozen && (a.killed == forEver && !a.left || a.left && now < a.late+lateFor) {
			can = append(can, a)
		}
	}
	if len(can) == 0 {
		return nil
	}
	return can[r.IntN(len(can))]
}

// keyOf draws one of the few hot keys of this burst or of one before, a warm
// one, or one of many cold ones.
func (s *storm) keyOf(b burst, num int, r *rand.Rand) string {
	switch p := r.IntN(100); {
	case b.vigil && p < 90:
		return fmt.Sprintf("vigil%d/%d", r.IntN(4), b.keys)
	case p < 60:
		return fmt.Sprintf("hot%d/%d", r.IntN(3), max(num-[]int{0, 0, 0, 1, 1, 2}[r.IntN(6)], 0))
	case p < 85:
		return fmt.Sprintf("warm%d/%d", r.IntN(12), num/12)
	}
	return fmt.Sprint("cold", r.IntN(300))
}

// call makes a random call.
func (s *storm) call(id int, b burst, num int, r *rand.Rand) {
	a := s.pick(r)
	key, key2 := s.keyOf(b, num, r), s.keyOf(b, num, r)
	what, pad, short := r.IntN(1000), r.IntN(30<<10), between(r, 5*time.Millisecond, 500*time.Millisecond)
	limited := oneIn(r, 6)
	if a == nil {
		return
	}
	ctx, limit := context.Background(), DefaultRequestTimeout
	if limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, short)
		defer cancel()
		limit = short
	}
	d := deed{client: id, node: a.Name(), call: s.log.now()}
	cache, name := a.c, "c/"
	if what%10 == 0 {
		cache, name = a.fill, "fill/"
	}
	off := a.fencedOff()
	var got []byte
	switch {
	case what < 80:
		keys := []string{key, key2}
		values, err := cache.GetMany(ctx, keys)
		if key == key2 {
			keys = keys[:1]
		}
		for i, key := range keys { // as two clients, since they are two calls
			d := d
			d.client += 100 * i
			d.value = s.text(values[key], values[key] != nil)
			if cache == a.c {
				s.fenced(a, off, d, err)
			}
			s.ended(a, name+key, d, limit, err)
		}
		return
	case what < 580:
		got, d.err = cache.Get(ctx, key)
		d.value = s.text(got, d.err == nil)
	case what < 850:
		d.kind, d.value = didSet, fmt.Sprint(s.values.Add(1))
		value := d.value
		if s.plan.padded && oneIn(r, 4) {
			value += ":" + strings.Repeat("x", pad)
		}
		d.err = cache.Set(ctx, key, []byte(value))
	case what < 991:
		d.kind = didDelete
		d.err = cache.Delete(ctx, key)
	default:
		d.kind = didClear
		d.err = cache.Clear(ctx)
	}
	if cache == a.c || d.kind != didGet {
		s.fenced(a, off, d, d.err)
	}
	s.ended(a, name+key, d, limit, d.err)
	if d.kind == didSet && d.err == nil && oneIn(r, 2) {
		// What was written is read elsewhere at once.
		if b := s.pick(r); b != nil && b != a {
			d := deed{client: id, node: b.Name(), call: s.log.now()}
			got, err := b.c.Get(context.Background(), key)
			d.value = s.text(got, err == nil)
			s.ended(b, "c/"+key, d, DefaultRequestTimeout, err)
		}
	}
}

// lateCalls are those of an application that has not noticed that its node has
// left: of keys that were in use just now, while others write them.
func (s *storm) lateCalls(a *life, r *rand.Rand) {
	const client = 99
	for _, key := range s.log.recent("c") {
		lives := s.living()
		if len(lives) == 0 {
			return
		}
		o := lives[r.IntN(len(lives))]
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		d := deed{client: client, node: o.Name(), kind: didSet, value: fmt.Sprint(s.values.Add(1)), call: s.log.now()}
		err := o.c.Set(ctx, key, []byte(d.value))
		s.ended(o, "c/"+key, d, 100*time.Millisecond, err)
		d = deed{client: client, node: a.Name(), call: s.log.now()}
		got, err := a.c.Get(ctx, key)
		d.value = s.text(got, err == nil)
		s.ended(a, "c/"+key, d, 100*time.Millisecond, err)
		cancel()
	}
}

// lastCalls are those that a node's application makes just before it is stopped, of a
// cache that nobody clears.
func (s *storm) lastCalls(a *life) (keys []string) {
	const client, count = 98, 8
	for range count {
		key := fmt.Sprint("stop", s.values.Add(1))
		keys = append(keys, key)
		s.setBriefly(a, client, key)
	}
	return keys
}

// missedCalls are writes of the same keys of which the node does not hear.
func (s *storm) missedCalls(keys []string, r *rand.Rand) {
	const client = 97
	for _, key := range keys {
		if o := s.pick(r); o != nil {
			s.setBriefly(o, client, key)
		}
	}
}

const briefly = 50 * time.Millisecond

func (s *storm) setBriefly(a *life, client int, key string) {
	ctx, cancel := context.WithTimeout(context.Background(), briefly)
	defer cancel()
	d := deed{client: client, node: a.Name(), kind: didSet, value: fmt.Sprint(s.values.Add(1)), call: s.log.now()}
	s.ended(a, "keep/"+key, d, briefly, a.keep.Set(ctx, key, []byte(d.value)))
}

// wokenCalls are those of an application that has not noticed that its process was
// stopped.
func (s *storm) wokenCalls(a *life, keys []string) {
	const client, rounds = 300, 8
	var calls sync.WaitGroup
	for round := range rounds {
		for i, key := range keys {
			calls.Go(func() { // ends with the call
				ctx, cancel := context.WithTimeout(context.Background(), briefly)
				defer cancel()
				d := deed{client: client + len(keys)*round + i, node: a.Name(), call: s.log.now()}
				got, err := a.keep.Get(ctx, key)
				d.value = s.text(got, err == nil)
				s.ended(a, "keep/"+key, d, briefly, err)
			})
		}
		time.Sleep(briefly / 2)
	}
	calls.Wait()
}

// text is what a value says, less its padding. One that is there, but empty, nobody has
// set.
func (s *storm) text(b []byte, there bool) string {
	if len(b) == 0 && there {
		return "nothing that anybody has set"
	}
	v, _, _ := strings.Cut(string(b), ":")
	return v
}

// fenced checks what a call costs on a node that is below its fence from before the
// call until after it: nothing is found, every write is refused, and nobody waits.
func (s *storm) fenced(a *life, off bool, d deed, err error) {
	if !off || !a.fencedOff() || errors.Is(err, ErrClosed) {
		return
	}
	stormTotals.add("calls below the fence", 1)
	wrong := d.value != "" || err != nil && !errors.Is(err, ErrNotFound)
	if d.kind != didGet {
		wrong = !errors.Is(err, ErrUnavailable)
	}
	if took := s.log.now() - d.call; wrong || took > 0 {
		s.wrong("P4", "below the fence a %v at %s at %v took %v and brought %q, %v", d.kind, a.Name(), d.call, took, d.value, err)
	}
}

// slack is by how much a call may be late: that is how exact a node's timers are.
const slack = 4 * tickEvery

// ended notes how a call ended.
func (s *storm) ended(a *life, key string, d deed, limit time.Duration, err error) {
	d.ret, d.err = s.log.now(), err
	d.open = err != nil && (d.kind != didGet || !errors.Is(err, ErrNotFound))
	s.stormMu.Lock()
	killed := a.killed <= d.ret
	frosted := a.frosted(span{d.call, d.ret})
	s.stormMu.Unlock()
	if killed {
		d.open = true // nobody is there who could have learned how it ended
	}
	if took := d.ret - d.call; took > limit+slack && !killed && !frosted {
		s.wrong("P4", "a %v at %s at %v took %v, its deadline was %v: %v", d.kind, a.Name(), d.call, took, limit, err)
	}
	if d.kind == didGet && d.open {
		if killed {
			return
		}
		d.value = "" // what came with an error
	}
	if d.kind == didGet && s.loads.fresh(d.value, d.call) {
		return
	}
	if d.kind == didClear {
		s.log.clear(cacheOf(key), d)
		return
	}
	s.log.add(key, d)
}

// loaders are the loads of all nodes. What a load brings is a value that nobody
// has set; it is in the chronicle as a Set of unknown outcome that began with the
// load, since it is stored only where nothing newer is there. Who asked for a
// value before its load began has it fresh from the source, stored or not: such
// a read says nothing about the cache.
type loaders struct {
	mu    sync.Mutex // guards begun
	begun map[string]time.Duration
}

func (l *loaders) open(s *storm, a *life) *Cache[[]byte] {
	c, err := NewCache(a.Node, "fill", Options[[]byte]{Load: func(ctx context.Context, key string) ([]byte, error) {
		v := fmt.Sprint(s.values.Add(1))
		begun := s.log.now()
		s.log.add("fill/"+key, deed{client: -1, node: a.Name(), kind: didSet, value: v, call: begun, ret: begun, open: true})
		l.mu.Lock()
		if l.begun == nil {
			l.begun = make(map[string]time.Duration)
		}
		l.begun[v] = begun
		l.mu.Unlock()
		h := s.values.Load() % 7
		select {
		case <-time.After(time.Duration(1<<h) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if h == 3 {
			return nil, ErrNotFound
		}
		return []byte(v), nil
	}})
	if err != nil {
		s.t.Error(err)
	}
	return c
}

// fresh tells whether a value was loaded after a call began.
func (l *loaders) fresh(value string, call time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.begun[value]
	return ok && at >= call
}

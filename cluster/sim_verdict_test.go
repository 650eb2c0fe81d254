package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// keeper counts what must not be lost: entries that are set once and never
// again. P2 lets them be lost only where more processes were killed than there
// are backups, since every slot was last backed up; with no backups, where any
// was. Nor does it speak of a cluster that was torn: a copy that was granted to a
// taker who is then cut off does not count any longer where nobody can say that
// the taker has not served with it. So after either only what was acknowledged
// later must be there; and of what a tear alone can have lost, most of it.
type keeper struct {
	mu     sync.Mutex // guards what follows
	acked  map[string]time.Duration
	after  time.Duration // what was acknowledged before may be lost
	torn   time.Duration // the same, by a tear
	killed int           // processes since all slots were last backed up
}

func (k *keeper) lossy(at time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.after = max(k.after, at)
}

func (k *keeper) tear(at time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.torn = max(k.torn, at)
}

// kill notes that a process is killed, of so many that live.
func (k *keeper) kill(at time.Duration, living, backups int, torn bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.killed++
	if k.killed > backups || living <= backups || torn {
		k.after = max(k.after, at)
	}
}

// full notes that all slots are backed up.
func (k *keeper) full() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.killed = 0
}

// keep sets entries all the time.
func (s *storm) keep(r *rand.Rand) {
	const most = 400
	s.kept.acked = make(map[string]time.Duration)
	pause := max((s.plan.lasts-s.faultsFrom)/most, time.Millisecond)
	for i := 0; ; i++ {
		select {
		case <-s.over:
			return
		case <-time.After(pause):
		}
		a := s.pick(r)
		if a == nil {
			continue
		}
		key := fmt.Sprint("keep", i)
		begun := s.log.now()
		if a.keep.Set(context.Background(), key, []byte(key)) != nil {
			continue
		}
		s.kept.mu.Lock()
		s.kept.acked[key] = begun
		s.kept.mu.Unlock()
	}
}

// What is promised for when all faults are over.
const (
	agreeWithin = 30 * time.Second
	sameWithin  = 10 * time.Second
)

// verdict checks P2 and P3, when all faults are over.
func (s *storm) verdict() {
	s.say("all is healed")
	begun := s.log.now()
	if !s.await(agreeWithin, func() bool { return s.allActive() && whole(s.living()) }) {
		s.wrong("P3", "the nodes do not agree within %v: %s", agreeWithin, s.state())
		return
	}
	s.agreedAfter = s.log.now() - begun
	lives := s.living()
	s.say("all %d nodes agree", len(lives))
	begun = s.log.now()
	keys := s.someKeys()
	var differ string
	if !s.await(sameWithin, func() bool { differ = s.differ(lives, keys); return differ == "" }) {
		s.wrong("P3", "not all nodes give the same answers within %v: %s%s", sameWithin, differ, s.state())
	}
	s.sameAfter = s.log.now() - begun
	s.noneAlive(lives[0], keys)
	s.noneGone(lives)
	s.within(lives)
}

// someKeys lists the keys of the cache c that are compared: all, or as many as
// take little time.
func (s *storm) someKeys() []string {
	var keys []string
	for _, key := range s.log.keys() {
		if cacheOf(key) == "c" {
			keys = append(keys, key[len("c/"):])
		}
	}
	r := rand.New(rand.NewPCG(s.seed, 15))
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:min(len(keys), 300)]
}

// differ reads all keys at all nodes, and says of which they say different
// things. The last reads of each count for P1 as well.
func (s *storm) differ(lives []*life, keys []string) string {
	answers := make([]map[string][]byte, len(lives))
	for i, a := range lives {
		d := deed{client: 200 + i, node: a.Name(), call: s.log.now()}
		var err error
		answers[i], err = a.c.GetMany(context.Background(), keys)
		if err != nil {
			return fmt.Sprintf("%s: %.200v", a.Name(), err)
		}
		for _, key := range keys {
			d := d
			d.value = s.text(answers[i][key], answers[i][key] != nil)
			s.ended(a, "c/"+key, d, DefaultRequestTimeout, nil)
		}
	}
	for _, key := range keys {
		for i := range lives {
			if string(answers[i][key]) != string(answers[0][key]) {
				return fmt.Sprintf("%s has %.20q at %s and %.20q at %s:\n%s", key, answers[0][key], lives[0].Name(),
					answers[i][key], lives[i].Name(), s.log.tail("c/"+key, forEver, 20))
			}
		}
	}
	return ""
}

// noneAlive checks that of each key nothing is there that was overwritten, deleted
// or cleared later.
func (s *storm) noneAlive(a *life, keys []string) {
	got, err := a.c.GetMany(context.Background(), keys)
	if err != nil {
		s.wrong("P3", "reading at the end: %v", err)
	}
	for _, key := range keys {
		if got[key] == nil {
			continue
		}
		if d := s.later(s.text(got[key], true), s.log.on("c/"+key)); d != nil {
			s.wrong("P3", "%s has %s at %s, and there was a %v of %q at %v:\n%s", key, s.text(got[key], true), a.Name(), d.kind, d.value, d.ret, s.log.tail("c/"+key, forEver, 20))
		}
	}
}

// apart is more than clocks can differ that are right.
const apart = 10 * time.Millisecond

// later returns what has to have overwritten a value: an acknowledged Set, Delete
// or Clear of the key that began when the value's Set had ended; nil: nothing.
//
// Where the cluster was torn in between, the two may not have seen each other. Then
// the newer one wins only where clocks are right. A Clear is not known by a clock,
// but by how many there were: of two sides that have cleared, what the one has set
// since its last Clear outlives those of the other, if it has cleared more often.
func (s *storm) later(value string, deeds []deed) *deed {
	i := slices.IndexFunc(deeds, func(d deed) bool { return d.kind == didSet && d.value == value })
	if i < 0 || deeds[i].open {
		return nil // it may have taken effect at any time
	}
	set := &deeds[i]
	for i := range deeds {
		d := &deeds[i]
		if d.kind == didGet || d.open || d.call <= set.ret+apart {
			continue
		}
		unseen := s.torn.during(span{set.call, d.ret + 1})
		if unseen && (s.plan.skewed || s.outlives(set, d, deeds)) {
			continue
		}
		return d
	}
	return nil
}

// outlives tells whether a Clear need not have removed what was set before it, on
// another side that had cleared too.
func (s *storm) outlives(set, c *deed, deeds []deed) bool {
	return c.kind == didClear && s.torn.withClears(span{set.call, c.ret + 1}, deeds, c)
}

// forgetAfter is for how long a deletion is remembered, less what that may vary:
// two sides that were apart for longer drop what may have been deleted.
const forgetAfter = tombstone - 30*time.Second

// mostly is how much of what was there before a tear must be there after it.
const mostly = 0.75

// noneGone checks that no entry of keep is lost.
func (s *storm) noneGone(lives []*life) {
	if s.plan.memory < 64<<20 { // entries are evicted
		return
	}
	if len(lives) < s.plan.fence { // nothing is found
		return
	}
	var sure, tried []string
	s.kept.mu.Lock()
	for key, at := range s.kept.acked {
		switch {
		case at > max(s.kept.after, s.kept.torn):
			sure = append(sure, key)
		case at > s.kept.after && s.torn.longest(s.log.now()) < forgetAfter:
			tried = append(tried, key)
		}
	}
	limit := max(s.kept.after, s.kept.torn)
	s.kept.mu.Unlock() // before anything waits: in a bubble time stands still while a lock is waited for
	s.keptCount = len(sure)
	for _, a := range lives {
		if gone := s.gone(a, sure); len(gone) > 0 {
			s.wrong("P2", "%d of %d entries are lost at %s, for instance %v (nothing may be that was acknowledged after %v)", len(gone), len(sure), a.Name(), gone[:min(len(gone), 5)], limit)
		}
		gone := s.gone(a, tried)
		if len(tried) >= 40 && float64(len(gone)) > (1-mostly)*float64(len(tried)) {
			s.wrong("P3", "%d of %d entries are lost at %s, of which none can have been but where the cluster was torn", len(gone), len(tried), a.Name())
		}
		if a == lives[0] {
			stormTotals.add("entries before a tear", len(tried))
			stormTotals.add("of them lost", len(gone))
		}
	}
}

// gone lists the entries that a node does not find, with when they were set.
func (s *storm) gone(a *life, keys []string) []string {
	slices.Sort(keys)
	got, err := a.keep.GetMany(context.Background(), keys)
	if err != nil {
		s.wrong("P3", "%s cannot read what must be there: %.200v", a.Name(), err)
	}
	var gone []string
	for _, key := range keys {
		if string(got[key]) != key {
			s.kept.mu.Lock()
			at := s.kept.acked[key]
			s.kept.mu.Unlock()
			gone = append(gone, fmt.Sprintf("%s of %v", key, at))
		}
	}
	return gone
}

// judge checks P1, outside the bubble: it takes processor time and no other.
func (s *storm) judge(t *testing.T) {
	s.t = t
	stretches := s.unsafe.stretches()
	s.checked = s.log.within(stretches)
	for key, in := range s.log.stale(t, stretches) {
		s.wrong("P1", "%s was read wrongly %v:\n%s", key, in, s.log.tail(key, in.to, 40))
	}
	for key, d := range s.log.invented() {
		s.wrong("P1", "%s: at %v %s was found at %s, which nobody had set:\n%s", key, d.call, d.value, d.node, s.log.tail(key, d.ret, 20))
	}
}

package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A chronicle is every call of a simulation with faults, and how it ended.
type chronicle struct {
	start time.Time

	mu     sync.Mutex // guards what follows
	byKey  map[string][]deed
	clears map[string][]deed // by cache
	count  int
}

// deed is a call on one key. Times are since the simulation's start.
type deed struct {
	client int
	node   string
	kind   deedKind
	value  string // written or found; "" is nothing
	call   time.Duration
	ret    time.Duration
	open   bool // how it ended is not known: it may take effect at any time, or never
	err    error
}

type deedKind uint8

const (
	didGet deedKind = iota
	didSet
	didDelete
	didClear
)

func (k deedKind) String() string { return [...]string{"get", "set", "delete", "clear"}[k] }

func newChronicle() *chronicle {
	return &chronicle{start: time.Now(), byKey: make(map[string][]deed), clears: make(map[string][]deed)}
}

func (c *chronicle) now() time.Duration { return time.Since(c.start) }

func (c *chronicle) add(key string, d deed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.byKey[key] = append(c.byKey[key], d)
}

func (c *chronicle) clear(cache string, d deed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.clears[cache] = append(c.clears[cache], d)
}

// cacheOf returns the cache of a key as the chronicle names it: "cache/key".
func cacheOf(key string) string { return key[:strings.Index(key, "/")] }

// recent lists the keys of a cache that were last used, few and each once.
func (c *chronicle) recent(cache string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for key, deeds := range c.byKey {
		if cacheOf(key) == cache && c.start.Add(deeds[len(deeds)-1].ret+5*time.Second).After(time.Now()) {
			list = append(list, key[len(cache)+1:])
		}
	}
	last := func(key string) time.Duration {
		deeds := c.byKey[cache+"/"+key]
		return deeds[len(deeds)-1].ret
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(last(b), last(a)), cmp.Compare(a, b)) })
	return list[:min(len(list), 20)]
}

// keys lists all keys, in order.
func (c *chronicle) keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]string, 0, len(c.byKey))
	for key := range c.byKey {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// on lists what was done to a key, its cache's clears among it.
func (c *chronicle) on(key string) []deed {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := append(append([]deed(nil), c.byKey[key]...), c.clears[cacheOf(key)]...)
	slices.SortStableFunc(list, func(a, b deed) int { return cmp.Compare(a.call, b.call) })
	return list
}

// span is from a time to before another.
type span struct{ from, to time.Duration }

func (s span) String() string {
	if s.to == forEver {
		return fmt.Sprintf("after %v", s.from)
	}
	return fmt.Sprintf("between %v and %v", s.from, s.to)
}

// unknown is the state of a key at the beginning of a stretch of which nothing
// is known.
const unknown = "?"

// register is a key that may forget, and of which it may not be known what it
// had at first: the first read that finds something tells.
var register = porcupine.Model{
	Init: func() any { return unknown },
	Step: func(state, in, out any) (bool, any) {
		i, found := in.(input), out.(string)
		switch {
		case i.write:
			return true, i.value
		case found == "" || found == state.(string):
			return true, state
		case state.(string) == unknown:
			return true, found
		}
		return false, state
	},
	DescribeOperation: forgetful.DescribeOperation,
}

// stretch makes of a key's deeds what is to be checked of a stretch for which P1
// is promised.
//
// Reads count that lie within it and have found something: to find nothing is
// always right. So do writes within it that were acknowledged. A Set that ended
// in an error, or that was begun or acknowledged outside, may have taken effect
// at any time after it was called, or not at all: it counts where a read has found its
// value. A Delete or a Clear of that kind explains nothing that was found, and
// is left out. What was set before the stretch may be there at its beginning.
func stretch(deeds []deed, in span) []porcupine.Operation {
	found := make(map[string]bool)
	before := false
	var ops []porcupine.Operation
	for i := range deeds {
		d := &deeds[i]
		within := d.call >= in.from && d.ret < in.to && !d.open
		switch {
		case d.kind == didGet && within && d.value != "":
			found[d.value] = true
			ops = append(ops, porcupine.Operation{ClientId: d.client, Input: input{}, Output: d.value, Call: int64(d.call), Return: int64(d.ret)})
		case d.kind == didSet && d.call < in.from:
			before = true
		case d.kind != didGet && within:
			ops = append(ops, porcupine.Operation{ClientId: d.client, Input: input{write: true, value: d.value}, Output: "", Call: int64(d.call), Return: int64(d.ret)})
		}
	}
	if len(found) == 0 {
		return nil
	}
	for i := range deeds {
		d := &deeds[i]
		within := d.call >= in.from && d.ret < in.to && !d.open
		over := d.ret < in.from && !d.open // acknowledged: it had taken effect
		if d.kind == didSet && !within && !over && d.call < in.to && found[d.value] {
			ops = append(ops, porcupine.Operation{ClientId: d.client, Input: input{write: true, value: d.value}, Output: "", Call: int64(d.call), Return: never})
		}
	}
	if !before { // there was nothing at first
		ops = append(ops, porcupine.Operation{Input: input{write: true}, Output: "", Call: -2, Return: -1})
	}
	return ops
}

// stale returns the keys that were read wrongly in one of the stretches, with
// the stretch.
func (c *chronicle) stale(t testing.TB, stretches []span) map[string]span {
	t.Helper()
	wrong := make(map[string]span)
	for _, key := range c.keys() {
		deeds := c.on(key)
		for _, in := range stretches {
			ops := stretch(deeds, in)
			if len(ops) == 0 {
				continue
			}
			switch porcupine.CheckOperationsTimeout(register, ops, 20*time.Second) {
			case porcupine.Illegal:
				if _, ok := wrong[key]; !ok {
					wrong[key] = in
				}
			case porcupine.Unknown:
				t.Errorf("%s: %d calls from %v to %v could not be checked in time", key, len(ops), in.from, in.to)
			}
		}
	}
	return wrong
}

// within counts the calls that lie in one of the stretches.
func (c *chronicle) within(stretches []span) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, deeds := range c.byKey {
		for i := range deeds {
			d := &deeds[i]
			for _, in := range stretches {
				if !d.open && d.call >= in.from && d.ret < in.to {
					n++
				}
			}
		}
	}
	return n
}

// invented returns the keys of which something was found that nobody had set by
// then. That must never happen, whatever befalls the network.
func (c *chronicle) invented() map[string]deed {
	wrong := make(map[string]deed)
	for _, key := range c.keys() {
		set := make(map[string]time.Duration)
		deeds := c.on(key)
		for i := range deeds {
			if d := &deeds[i]; d.kind == didSet {
				set[d.value] = d.call
			}
		}
		for _, d := range deeds {
			if d.kind != didGet || d.value == "" {
				continue
			}
			if at, ok := set[d.value]; !ok || at > d.ret {
				wrong[key] = d
			}
		}
	}
	return wrong
}

// tail describes the last calls on a key before a time.
func (c *chronicle) tail(key string, before time.Duration, n int) string {
	deeds := slices.DeleteFunc(c.on(key), func(d deed) bool { return d.call > before })
	s := ""
	for _, d := range deeds[max(0, len(deeds)-n):] {
		end := fmt.Sprint(d.ret)
		if d.open {
			end += ", open"
		}
		s += fmt.Sprintf("  client %d at %s [%v, %s] %v %q", d.client, d.node, d.call, end, d.kind, d.value)
		if d.err != nil {
			s += fmt.Sprintf(" %.100v", d.err)
		}
		s += "\n"
	}
	return s
}

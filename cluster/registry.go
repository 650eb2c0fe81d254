package cluster

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

const (
	maxCaches   = 1 << 16
	maxCacheLen = 255
)

// space is one named cache as this node knows it, whether the application has
// opened it here or only other members have.
type space struct {
	name   string
	number uint32 // this node's own, never sent
	hasher keyHasher
	gen    atomic.Pointer[protocol.Generation]
	load   atomic.Pointer[loader] // nil: no loader here
	counts counters
}

// registry numbers the caches and keeps their generations. It implements
// protocol.Generations.
type registry struct {
	self  protocol.Member
	store *cache.Store

	// mu is held to add a space or to change a generation. Reading needs no
	// lock: the list and the map are replaced, never changed.
	mu     sync.Mutex
	byName atomic.Pointer[map[string]*space]
	list   atomic.Pointer[[]*space]
}

func newRegistry(self protocol.Member, store *cache.Store) *registry {
	r := &registry{self: self, store: store}
	r.byName.Store(&map[string]*space{})
	r.list.Store(&[]*space{})
	return r
}

// space returns the cache of that name, added when it is not there.
func (r *registry) space(name []byte) (*space, error) {
	if s := (*r.byName.Load())[string(name)]; s != nil {
		return s, nil
	}
	if len(name) == 0 {
		return nil, errors.New("cluster: the name of a cache is empty")
	}
	if len(name) > maxCacheLen {
		return nil, tooLarge("a cache's name", len(name), maxCacheLen)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, list := *r.byName.Load(), *r.list.Load()
	if s := old[string(name)]; s != nil {
		return s, nil
	}
	if len(list) >= maxCaches {
		return nil, fmt.Errorf("%w: %d, which is the limit", ErrTooManyCaches, len(list))
	}
	s := &space{name: string(name), number: uint32(len(list)), hasher: newKeyHasher(string(name))}
	s.gen.Store(&protocol.Generation{})
	byName := make(map[string]*space, len(old)+1)
	for k, v := range old {
		byName[k] = v
	}
	byName[s.name] = s
	list = append(list[:len(list):len(list)], s)
	r.list.Store(&list)
	r.byName.Store(&byName)
	return s, nil
}

// numbered returns the cache of that number.
func (r *registry) numbered(number uint32) *space { return (*r.list.Load())[number] }

// Of implements protocol.Generations.
func (r *registry) Of(number uint32) protocol.Generation {
	return *r.numbered(number).gen.Load()
}

// Merge implements protocol.Generations.
func (r *registry) Merge(number uint32, g protocol.Generation) protocol.Generation {
	s := r.numbered(number)
	if now := *s.gen.Load(); now == g || now.Count > g.Count {
		return now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set(s, s.gen.Load().Merge(g))
}

// Raise implements protocol.Generations.
func (r *registry) Raise(number uint32, above protocol.Generation) protocol.Generation {
	s := r.numbered(number)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set(s, protocol.Generation{Count: max(s.gen.Load().Count, above.Count) + 1, Raiser: r.self})
}

// set is called with mu held. The store knows first, so that nothing of an
// older generation is served once the new one can be seen.
func (r *registry) set(s *space, g protocol.Generation) protocol.Generation {
	if g != *s.gen.Load() {
		r.store.RaiseGeneration(s.number, g.Count)
		s.gen.Store(&g)
	}
	return g
}

// Append implements protocol.Generations.
func (r *registry) Append(dst []protocol.CacheGeneration) []protocol.CacheGeneration {
	for _, s := range *r.list.Load() {
		if g := *s.gen.Load(); g.Count > 0 {
			dst = append(dst, protocol.CacheGeneration{Cache: s.number, Generation: g})
		}
	}
	return dst
}

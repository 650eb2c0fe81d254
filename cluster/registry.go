package cluster

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/peercache/peercache/cache"
	"github.com/peercache/peercache/internal/protocol"
)

const (
	// maxCaches bounds how long the list of all generations is, which goes between
	// nodes as one frame.
	maxCaches   = 1 << 12
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

	// mu is held to add a space or to change a generation.
	mu sync.Mutex
	// known has most spaces by their names, for those who read without the lock;
	// it is replaced, never changed. fresh has those that are not in it yet.
	known atomic.Pointer[map[string]*space]
	fresh map[string]*space
	// list has the spaces by their numbers. What is below its length never
	// changes.
	list atomic.Pointer[[]*space]
	// digest is the sum over all caches of their generations' hashes.
	digest atomic.Uint64
}

func newRegistry(self protocol.Member, store *cache.Store) *registry {
	r := &registry{self: self, store: store, fresh: make(map[string]*space)}
	r.known.Store(&map[string]*space{})
	r.list.Store(&[]*space{})
	return r
}

// find returns the cache of that name, or nil.
func (r *registry) find(name string) *space {
	if s := (*r.known.Load())[name]; s != nil {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fresh[name]
}

// space returns the cache of that name, added when it is not there.
func (r *registry) space(name []byte) (*space, error) {
	if s := (*r.known.Load())[string(name)]; s != nil {
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
	if s := r.fresh[string(name)]; s != nil {
		return s, nil
	}
	if s := (*r.known.Load())[string(name)]; s != nil {
		return s, nil
	}
	list := *r.list.Load()
	if len(list) >= maxCaches {
		return nil, fmt.Errorf("%w: %d, which is the limit", ErrTooManyCaches, len(list))
	}
	s := &space{name: string(name), number: uint32(len(list)), hasher: newKeyHasher(string(name))}
	s.gen.Store(&protocol.Generation{})
	list = append(list, s) // nobody looks beyond the length that was published
	r.list.Store(&list)
	r.fresh[s.name] = s
	r.merge()
	return s, nil
}

// merge makes the fresh spaces known, once they are so many that the copying is
// worth it: so what is copied for each space is bounded however many there are.
// It is called with mu held.
func (r *registry) merge() {
	known := *r.known.Load()
	if 4*len(r.fresh) < len(known) {
		return
	}
	all := make(map[string]*space, len(known)+len(r.fresh))
	maps.Copy(all, known)
	maps.Copy(all, r.fresh)
	r.known.Store(&all)
	clear(r.fresh)
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

// Forget implements protocol.Generations.
func (r *registry) Forget(number uint32, g protocol.Generation) bool {
	return r.store.Forget(number, g.Count)
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
	if old := *s.gen.Load(); g != old {
		r.store.RaiseGeneration(s.number, g.Count)
		s.gen.Store(&g)
		r.digest.Add(s.mark(g) - s.mark(old))
	}
	return g
}

// mark is a generation's part in the digest: nothing where there was no clear.
func (s *space) mark(g protocol.Generation) uint64 {
	if g.Count == 0 {
		return 0
	}
	return mix(s.hasher.seed ^ mix(g.Count^mix(uint64(g.Raiser))))
}

// Digest implements protocol.Generations.
func (r *registry) Digest() uint64 { return r.digest.Load() }

// Append implements protocol.Generations.
func (r *registry) Append(dst []protocol.CacheGeneration) []protocol.CacheGeneration {
	for _, s := range *r.list.Load() {
		if g := *s.gen.Load(); g.Count > 0 {
			dst = append(dst, protocol.CacheGeneration{Cache: s.number, Generation: g})
		}
	}
	return dst
}

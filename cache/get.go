package cache

// Get returns a live value that is owned or near, and counts as its use. It
// does not allocate. Nothing that is staged is ever a hit, and no tombstone.
//
// This is what a local hit costs, so it is written to be fast: it reads the
// clock only for what may end, and everything unusual is getSlowly's. The
// fields of hit are set one by one because a composite literal is built beside
// it and copied in larger pieces than it was written, which the processor's
// store buffer does not forward; the copy would wait for the LRU's cache misses.
func (s *Store) Get(kind Kind, hash uint64, cacheNumber uint32, key string) (hit Hit, ok bool) {
	if kind > Near {
		return hit, false
	}
	sh := &s.shards[hash&s.mask]
	sh.mu.Lock()
	k := &sh.held[kind]
	r, _ := k.lru.Get(hash)
	if r == nil || r.bits != uint8(kind) || !r.is(cacheNumber, key) ||
		r.generation < s.generations.of(cacheNumber) ||
		(r.expires != 0 || kind == Near) && sh.over(r) {
		if r = sh.getSlowly(kind, hash, cacheNumber, key); r == nil {
			k.misses++
			sh.mu.Unlock()
			return hit, false
		}
	}
	k.hits++
	hit.Value = r.bytes()
	hit.Version = r.version
	hit.Kind = kind
	hit.Expires = r.expires
	if r.extra != nil {
		hit.Decoded = r.extra.decoded
	}
	sh.mu.Unlock()
	return hit, true
}

// over tells whether a record's time is over.
//
//go:noinline
func (s *shard) over(r *record) bool { return s.store.clock() >= r.until() }

// getSlowly finds a record that is not the first of its hash, and removes one
// that has ended. It is called with the shard locked.
//
//go:noinline
func (s *shard) getSlowly(kind Kind, hash uint64, cacheNumber uint32, key string) *record {
	t := s.moment()
	r := s.live(kind, &Ref{Hash: hash, Cache: cacheNumber, Key: key}, &t)
	if r == nil || r.tombstone() {
		return nil
	}
	return r
}

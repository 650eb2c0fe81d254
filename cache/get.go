package cache

// Get returns a live value that is owned or near, and counts as its use. It
// does not allocate. Nothing that is staged is ever a hit, and no tombstone.
func (s *Store) Get(kind Kind, hash uint64, cacheNumber uint32, key string) (hit Hit, ok bool) {
	ok = s.Find(kind, hash, cacheNumber, key, &hit)
	return hit, ok
}

// Find is Get that fills in the caller's hit, which is a zero one before and
// after a miss.
//
// This is what a local hit costs, so it is written to be fast: a hit takes no
// lock and mostly writes nothing but a counter, it reads the clock only for what
// may end, and everything unusual is getSlowly's, which has the last word. The
// hit is the caller's, and its fields are set one by one, because a copy is made
// in larger pieces than it was written, which the processor's store buffer does
// not forward.
//
// What Put, Drop and the others replace or remove has left the index before they
// return, and what it is found in is loaded after Find began; the generation is
// loaded after the record. So Find returns nothing that was gone before it began.
func (s *Store) Find(kind Kind, hash uint64, cacheNumber uint32, key string, hit *Hit) bool {
	if kind > Near {
		return false
	}
	r := s.index[kind].find(s.spot(hash), hash, cacheNumber, key)
	live := r != nil && r.bits&^bitShort == uint8(kind) && r.generation >= s.generations.of(cacheNumber)
	if live && (r.expires != 0 || kind == Near) {
		hit.At = s.clock()
		live = hit.At < r.until()
	}
	if !live {
		if r == nil && kind == Near { // or on its way into another table: then its owner is asked
			s.hits.miss()
			return false
		}
		hit.At = 0
		if r = s.getSlowly(kind, hash, cacheNumber, key); r == nil {
			return false
		}
	}
	if !r.touched() { // most are: do not write to what others read
		r.touch()
	}
	s.hits.add(kind)
	hit.Value = r.bytes()
	hit.Version = r.version
	hit.Kind = kind
	hit.Expires = r.expires
	if x := r.extra.Load(); x != nil {
		hit.Decoded = x.decoded
	}
	return true
}

// getSlowly looks again with the shard locked, so that a record that was on its
// way into another table is found, and removes one that has ended, but for a near
// copy whose lease alone is over: it may be lent again. What it does not find is a
// miss.
//
//go:noinline
func (s *Store) getSlowly(kind Kind, hash uint64, cacheNumber uint32, key string) *record {
	sh := s.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.moment()
	r := sh.find(kind, &Ref{Hash: hash, Cache: cacheNumber, Key: key})
	if r != nil {
		if end := sh.ended(r, &t); end != live && kind == Near && sh.lendable(r, &t) {
			r = nil
		} else if end != live {
			r = sh.bury(r, end, &t)
		}
	}
	if r == nil || r.tombstone() {
		sh.held[kind].misses++
		return nil
	}
	return r
}

package cache

import "bytes"

// SetDecoded keeps a decoded value beside the owned and the near entry of a key
// where they are of exactly that version; Get then returns it. It is charged as
// a second copy of the value's bytes, for which others may have to go as they
// have for a Put; where it does not fit beside owned entries it is not kept.
// nil takes it away. It goes with its entry.
func (s *Store) SetDecoded(ref Ref, version uint64, decoded any) {
	sh := s.shard(ref.Hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.moment()
	for kind := Owned; kind <= Near; kind++ {
		if r := sh.live(kind, &ref, &t); r != nil && r.version == version && !r.tombstone() {
			sh.setDecoded(r, decoded, &t)
		}
	}
}

// Decoded returns what SetDecoded put beside a value, if that is in the store, or nil.
// It is for a value that was just lent again: the copy that is here may have kept it.
func (s *Store) Decoded(kind Kind, hash uint64, cacheNumber uint32, key string, value []byte) any {
	r := s.index[kind].find(s.spot(hash), hash, cacheNumber, key)
	if r == nil || r.tombstone() || !bytes.Equal(r.bytes(), value) {
		return nil
	}
	return r.decoded()
}

func (s *shard) setDecoded(r *record, decoded any, t *moment) {
	switch {
	case r.decoded() == nil && decoded == nil:
		return
	case r.decoded() == nil:
		more := int64(r.size)
		if r.kind() == Near && s.held[Owned].bytes+r.cost()+more > s.share {
			return
		}
		s.held[r.kind()].use(r) // so that it is not the one to go
		s.makeRoom(more, r.kind(), r, t)
	}
	s.discount(r)
	if x := (extra{leaseEnd: r.leaseEnd(), decoded: decoded}); x != (extra{}) {
		r.extra.Store(&x)
	} else {
		r.extra.Store(nil)
	}
	s.count(r)
}

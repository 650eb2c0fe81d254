package cache

import "bytes"

// renew gives a near copy another lease, if what was lent again is what it has, and
// tells whether that is so. So what stands beside its value is not decoded anew, and
// nothing else changes. The copy may have ended with its lease, as long as the sweeper
// has not been there. Its time to live stays what it was: that of one version ends at
// one time, and each answer that it was reckoned from says at most that.
func (s *shard) renew(ref *Ref, e *Entry, t *moment) bool {
	r := s.find(Near, ref)
	if r == nil || r.version != e.Version || r.generation != e.Generation || r.tombstone() || e.Tombstone || e.LeaseEnd <= t.now() {
		return false
	}
	if !s.lendable(r, t) || !bytes.Equal(r.bytes(), e.Value) {
		return false
	}
	if e.LeaseEnd > r.leaseEnd() {
		r.extra.Store(&extra{leaseEnd: e.LeaseEnd, decoded: r.decoded()})
	}
	s.held[Near].use(r)
	return true
}

// lendable tells whether a near copy has not ended, or only with its lease.
func (s *shard) lendable(r *record, t *moment) bool {
	return s.endOf(r.cache, r.generation, r.deletion(), untilOf(Owned, r.expires, 0), t) == live
}

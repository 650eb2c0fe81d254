package cache

// givesWay is the order in which kinds give way.
var givesWay = [kindCount]Kind{Near, Staged, Owned}

// makeRoom evicts until so many bytes more fit, without the record to keep.
// Owned entries are given up only for owned ones. The caller has seen to it that
// there is enough.
func (s *shard) makeRoom(bytes int64, forKind Kind, keep *record, t *moment) {
	for _, kind := range givesWay {
		if kind == Owned && forKind != Owned {
			return
		}
		for s.bytes+bytes > s.share {
			r := s.oldest(kind, keep, t)
			if r == nil {
				break
			}
			s.evict(r, t)
		}
	}
}

// evict gives up a record. If it is owned and its time was not over, or only by
// clears that this node has missed, nobody here knows any longer how new it was,
// and the slot's floor says so.
func (s *shard) evict(r *record, t *moment) {
	end := s.ended(r, t)
	if end != live && (end != cleared || !s.missed(r)) {
		s.bury(r, end, t)
		return
	}
	if r.kind() == Owned {
		sl := s.slot(r.hash)
		sl.floor = max(sl.floor, r.version)
	}
	if !r.tombstone() {
		s.held[r.kind()].gone(r)
	}
	s.held[r.kind()].evictions++
	s.remove(r)
}

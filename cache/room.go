package cache

// givesWay is the order in which kinds give way.
var givesWay = [kindCount]Kind{Near, Staged, Owned}

// makeRoom evicts until so many bytes more fit, without the record to keep.
// Owned entries are given up only for owned ones. The caller has seen to it that
// there is enough, and has just used the record to keep.
func (s *shard) makeRoom(bytes int64, forKind Kind, keep *record, t *moment) {
	for _, kind := range givesWay {
		if kind == Owned && forKind != Owned {
			return
		}
		for s.bytes+bytes > s.share {
			hash, r := s.held[kind].oldest(keep)
			if r == nil {
				break
			}
			s.evict(hash, r, t)
		}
	}
}

// evict gives up a record. If it is owned and its time was not over, nobody
// here knows any longer how new it was, and the slot's floor says so.
func (s *shard) evict(hash uint64, r *record, t *moment) {
	if end := s.ended(r, t); end != live {
		s.bury(hash, r, end)
		return
	}
	if r.kind() == Owned {
		sl := s.slot(hash)
		sl.floor = max(sl.floor, r.version)
	}
	s.held[r.kind()].evictions++
	s.remove(hash, r)
}

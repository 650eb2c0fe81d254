package cache

// kindCounters count what has happened to one kind in a shard, except hits.
type kindCounters struct {
	misses, evictions, expirations, cleared uint64
}

// KindStats are the figures of one kind.
type KindStats struct {
	Entries     int    `json:"entries"`     // now, with tombstones and what is dead and not yet swept
	Bytes       int64  `json:"bytes"`       // now, as charged to the budget
	Hits        uint64 `json:"hits"`        // of Get
	Misses      uint64 `json:"misses"`      // of Get
	Evictions   uint64 `json:"evictions"`   // given up for lack of room
	Expirations uint64 `json:"expirations"` // removed because their time or lease was over
	Cleared     uint64 `json:"cleared"`     // removed because their cache was cleared
}

// Stats are a store's figures since New. The counts of different shards are
// taken one after the other.
type Stats struct {
	Owned      KindStats `json:"owned"`
	Near       KindStats `json:"near"`
	Staged     KindStats `json:"staged"`
	Tombstones int       `json:"tombstones"` // now, among the entries above
	Bytes      int64     `json:"bytes"`      // now, of all kinds, as charged to the budget
	Budget     int64     `json:"budget"`     // that Bytes stays within
	Shards     int       `json:"shards"`
}

// Stats returns the store's figures.
func (s *Store) Stats() Stats {
	st := Stats{Budget: s.budget, Shards: len(s.shards)}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		st.Owned.add(&sh.held[Owned])
		st.Near.add(&sh.held[Near])
		st.Staged.add(&sh.held[Staged])
		st.Tombstones += sh.tombstones
		st.Bytes += sh.bytes
		sh.mu.Unlock()
	}
	st.Owned.Hits, st.Near.Hits = s.hits.sum(Owned), s.hits.sum(Near)
	st.Near.Misses += s.hits.misses()
	return st
}

func (k *KindStats) add(h *holding) {
	k.Entries += h.count
	k.Bytes += h.bytes
	k.Misses += h.misses
	k.Evictions += h.evictions
	k.Expirations += h.expirations
	k.Cleared += h.cleared
}

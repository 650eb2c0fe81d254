package cache

// holding is what a shard has of one kind, in the order in which it is to go.
type holding struct {
	order
	bytes int64
	count int
	peak  int // highest count since renew
	kindCounters
}

// maxChances bounds how many records are passed over to find one to evict.
const maxChances = 16

// renew empties the order; seats that were given back stay otherwise.
func (k *holding) renew() { k.order, k.peak = order{}, 0 }

// oldest returns the record to go next, or nil where there is none but the one
// to keep. One that a Get has found since it was last moved, and that is live, is
// promoted instead. After maxChances of these one goes all the same.
func (s *shard) oldest(kind Kind, keep *record, t *moment) *record {
	k := &s.held[kind]
	for chances := maxChances; ; chances-- {
		r := k.next(keep)
		if r == nil || chances == 0 || !r.touched() || s.ended(r, t) != live {
			return r
		}
		k.promote(r)
	}
}

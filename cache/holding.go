package cache

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// holding is what a shard has of one kind, in the order in which it is to go.
type holding struct {
	// lru has the records themselves as keys: its elements are then of 64 bytes,
	// and 80 with a hash as the key and a record as the value. It never evicts
	// by itself.
	lru   *simplelru.LRU[*record, struct{}]
	bytes int64
	count int
	peak  int // highest count since renew
	kindCounters
}

// maxChances bounds how many records are passed over to find one to evict.
const maxChances = 16

// renew makes an empty holding; a map never gets smaller by itself.
func (k *holding) renew() {
	k.lru, _ = simplelru.NewLRU[*record, struct{}](math.MaxInt, nil) // fails for a size below 1
	k.peak = 0
}

// use makes a record the last one to go.
func (k *holding) use(r *record) { k.lru.Get(r) }

// oldest returns the record to go next, or nil where there is none but the one
// to keep. It is the one that has been moved to the front the longest time ago;
// but one that a Get has found since then, and that is live, is moved to the
// front instead. After maxChances of these one goes all the same.
func (s *shard) oldest(kind Kind, keep *record, t *moment) *record {
	k := &s.held[kind]
	for chances := maxChances; ; {
		r, _, _ := k.lru.GetOldest()
		switch {
		case r == nil:
			return nil
		case r == keep:
			if k.count == 1 {
				return nil
			}
		case chances > 0 && r.touched.Load() != 0 && s.ended(r, t) == live:
			r.touched.Store(0)
			chances--
		default:
			return r
		}
		k.use(r)
	}
}

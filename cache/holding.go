package cache

import (
	"math"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// holding is what a shard has of one kind.
type holding struct {
	// lru has the records by their hash. It never evicts by itself.
	lru *simplelru.LRU[uint64, *record]
	// more has the records whose hash one in lru has already, which almost never
	// are any. All of a hash count as used together.
	more  map[uint64][]*record
	bytes int64
	count int
	kindCounters
}

// maxSame bounds how many records of one kind have the same hash, and so what
// finding one costs: who can choose keys can choose them so.
const maxSame = 16

// renew makes an empty holding; a map never gets smaller by itself.
func (k *holding) renew() {
	k.lru, _ = simplelru.NewLRU[uint64, *record](math.MaxInt, nil) // fails for a size below 1
	k.more = nil
}

// find returns a key's record, dead or alive, without using it, or nil.
func (k *holding) find(ref *Ref) *record {
	r, ok := k.lru.Peek(ref.Hash)
	if !ok || r.is(ref.Cache, ref.Key) {
		return r
	}
	for _, r := range k.more[ref.Hash] {
		if r.is(ref.Cache, ref.Key) {
			return r
		}
	}
	return nil
}

// linked returns the record that has this link.
func (k *holding) linked(hash uint64, h handle) *record {
	r, _ := k.lru.Peek(hash)
	if r == nil || r.link == h {
		return r
	}
	same := k.more[hash]
	return same[slices.IndexFunc(same, func(r *record) bool { return r.link == h })]
}

// use makes the records of a hash the last ones to go.
func (k *holding) use(hash uint64) { k.lru.Get(hash) }

// add adds a record, which uses it.
func (k *holding) add(hash uint64, r *record) {
	if _, taken := k.lru.Get(hash); !taken {
		k.lru.Add(hash, r)
		return
	}
	if k.more == nil {
		k.more = make(map[uint64][]*record)
	}
	k.more[hash] = append(k.more[hash], r)
}

// remove takes out a record.
func (k *holding) remove(hash uint64, r *record) {
	same := k.more[hash]
	if len(same) == 0 {
		k.lru.Remove(hash)
		return
	}
	if first, _ := k.lru.Peek(hash); first == r {
		k.lru.Add(hash, same[0]) // which uses the others
		r = same[0]
	}
	same = slices.DeleteFunc(same, func(x *record) bool { return x == r })
	if k.more[hash] = same; len(same) == 0 {
		delete(k.more, hash)
	}
}

// oldest returns the record to go next that is not the one to keep, or nil. Of
// those with the same hash the last one that came goes first.
func (k *holding) oldest(keep *record) (hash uint64, r *record) {
	hash, first, _ := k.lru.GetOldest()
	for _, r := range slices.Backward(k.more[hash]) {
		if r != keep {
			return hash, r
		}
	}
	if first == keep {
		return 0, nil
	}
	return hash, first
}

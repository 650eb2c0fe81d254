package protocol

import "sync"

// visited has the hash of every world that was reached, and of the one it was
// first reached from. It is for several goroutines.
type visited struct{ shards [64]shard }

type shard struct {
	mu         sync.Mutex
	keys, from []uint64
	n          int
}

func newVisited() *visited {
	v := &visited{}
	for i := range v.shards {
		v.shards[i].keys, v.shards[i].from = make([]uint64, 1<<8), make([]uint64, 1<<8)
	}
	return v
}

func (v *visited) shard(h uint64) *shard { return &v.shards[h>>58] }

func (s *shard) at(h uint64) int {
	mask := uint64(len(s.keys) - 1)
	i := h & mask
	for s.keys[i] != 0 && s.keys[i] != h {
		i = (i + 1) & mask
	}
	return int(i)
}

// add returns false where h was there already.
func (v *visited) add(h, from uint64) bool {
	s := v.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n*10 > len(s.keys)*8 {
		s.grow()
	}
	i := s.at(h)
	if s.keys[i] != 0 {
		return false
	}
	s.keys[i], s.from[i] = h, from
	s.n++
	return true
}

func (s *shard) grow() {
	keys, from := s.keys, s.from
	s.keys, s.from = make([]uint64, 2*len(keys)), make([]uint64, 2*len(keys))
	for i, k := range keys {
		if k != 0 {
			j := s.at(k)
			s.keys[j], s.from[j] = k, from[i]
		}
	}
}

// len tells how many there are.
func (v *visited) len() (n int) {
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		n += s.n
		s.mu.Unlock()
	}
	return n
}

// has tells whether h is there.
func (v *visited) has(h uint64) bool {
	s := v.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[s.at(h)] != 0
}

// way returns the hashes from the first world to h.
func (v *visited) way(h uint64) []uint64 {
	var back []uint64
	for h != 0 {
		back = append(back, h)
		s := v.shard(h)
		h = s.from[s.at(h)]
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

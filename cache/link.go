package cache

// link puts a record into the list of its slot and kind. It names the record by
// its hash, and is found from it by its handle. Links have no pointers, so the
// garbage collector does not look at them.
type link struct {
	hash       uint64
	next, prev handle
}

// handle is the number of a link in its shard; 0 is none.
type handle uint32

// chunkLen links of 16 bytes fill one of the allocator's size classes.
const chunkLen = 128

// links are the links of a shard, in chunks, so that growing copies nothing.
type links struct {
	chunks []*[chunkLen]link
	free   handle // list of free ones, by next
}

func (l *links) at(h handle) *link { return &l.chunks[h/chunkLen][h%chunkLen] }

func (l *links) take(hash uint64) handle {
	if l.free == 0 {
		l.grow()
	}
	h := l.free
	at := l.at(h)
	l.free = at.next
	*at = link{hash: hash}
	return h
}

func (l *links) give(h handle) {
	*l.at(h) = link{next: l.free}
	l.free = h
}

func (l *links) grow() {
	first := handle(len(l.chunks)) * chunkLen
	l.chunks = append(l.chunks, new([chunkLen]link))
	for h := first + chunkLen - 1; h >= max(first, 1); h-- { // 0 stays unused
		l.give(h)
	}
}

package protocol

// place is a world that waits to be visited, without pointers: worlds of a depth
// are many.
type place struct {
	core
	nodes   [4]uint32
	packets uint32 // where its packets begin in its chunk
	n       uint32 // how many there are
	h       uint64
}

// chunk is some of the worlds of a depth.
type chunk struct {
	places  []place
	packets []uint32
}

// perChunk is how many worlds a worker takes at a time.
const perChunk = 1024

// level is the worlds of a depth.
type level struct{ chunks []*chunk }

// put adds a world.
func (l *level) put(w *world, h uint64) {
	last := len(l.chunks) - 1
	if last < 0 || len(l.chunks[last].places) == perChunk {
		l.chunks = append(l.chunks, &chunk{places: make([]place, 0, perChunk/4)})
		last++
	}
	c := l.chunks[last]
	p := place{core: w.core, packets: uint32(len(c.packets)), n: uint32(len(w.packets)), h: h}
	for x, n := range w.nodes {
		p.nodes[x] = n.id
	}
	for _, pk := range w.packets {
		c.packets = append(c.packets, pk.id)
	}
	c.places = append(c.places, p)
}

// numbered are a store's nodes and packets as they were when a depth began.
type numbered struct {
	nodes   []*node
	packets []*packet
}

func (s *store) numbered() numbered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return numbered{s.nodes, s.packets}
}

// get makes the world at a place, in w's memory.
func (c *chunk) get(w *world, p *place, by numbered) {
	w.core = p.core
	w.why = ""
	for x, id := range p.nodes {
		w.nodes[x] = by.nodes[id]
	}
	w.packets = w.packets[:0]
	for _, id := range c.packets[p.packets : p.packets+p.n] {
		w.packets = append(w.packets, by.packets[id])
	}
}

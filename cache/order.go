package cache

// order is the order in which a shard's records of one kind are to go: three LRU
// queues (seats.go), held together as CAR does it (Bansal and Modha, CAR: Clock with
// Adaptive Replacement, 2004, which is ARC for caches whose hits take no lock): what
// came lately and has not been asked for since is
// apart from what has been, so that what is asked for once, as in a scan, does
// not push out the rest; and how much of the room it gets follows from which of
// the two lately gave up too much.
//
// Three things are not as there. What has been asked for is in two queues, and
// is looked at on its way from one into the other, which comes nearer to an LRU.
// What came lately gets a sixth at least and two thirds at most: outside of that
// the rule goes too far. And who has gone is remembered by ghosts. What any of
// these get wrong makes a worse guess and nothing else.
//
// The shard's lock is held.
type order struct {
	seats
	want   float64 // how many records recent may keep before it gives up the next
	ghosts ghosts
}

type queue = uint8

const (
	recent queue = iota // has not been asked for since it came
	young               // has been
	old                 // has been, and not again for a while
	queueCount
)

// leastRecent and mostRecent are the smallest and the greatest part of all that
// recent may keep.
const (
	leastRecent = 1.0 / 6
	mostRecent  = 2.0 / 3
)

func (o *order) len(q queue) int { return o.lens[q] }

func (o *order) frequent() int { return o.len(young) + o.len(old) }

// add puts in a record that is new here. What has gone not long ago proves that
// it is asked for, and that its queue was too short.
func (o *order) add(r *record) {
	few, many := float64(max(o.len(recent), 1)), float64(max(o.frequent(), 1))
	q := young
	switch o.ghosts.take(r.hash, o.spans()) {
	case ofRecent:
		o.want += max(1, few/many)
	case ofFrequent:
		o.want -= max(1, many/few)
	default:
		q = recent
	}
	o.want = min(max(o.want, leastRecent*(few+many)), mostRecent*(few+many))
	o.push(q, r)
}

// replace puts a record into the queue of another that it takes the place of, as
// the last one there to go.
func (o *order) replace(was, r *record) { o.take(was, r) }

// use makes a record the last one of its queue to go.
func (o *order) use(r *record) { o.move(r.queue, r) }

// promote makes a record that has been asked for the last one of all to go.
func (o *order) promote(r *record) {
	r.untouch()
	o.move(young, r)
}

// next returns the record to go next, or nil where there is none but the one to
// keep.
func (o *order) next(keep *record) *record {
	if n := o.len(recent); n > 0 && float64(n) >= o.want {
		if r := o.tail(recent, keep); r != nil {
			return r
		}
	}
	o.balance()
	for _, q := range []queue{old, young, recent} {
		if r := o.tail(q, keep); r != nil {
			return r
		}
	}
	return nil
}

// tail returns the first record of a queue to go that is not the one to keep.
func (o *order) tail(q queue, keep *record) *record {
	r := o.first(q)
	if r != nil && r == keep {
		o.use(r)
		if r = o.first(q); r == keep {
			return nil
		}
	}
	return r
}

// balance leaves a third of what has been asked for in young, as far as a few
// steps go.
func (o *order) balance() {
	for range maxChances {
		if 3*o.len(young) <= o.frequent() {
			return
		}
		r := o.first(young)
		if r.touched() {
			o.promote(r)
			continue
		}
		o.move(old, r)
	}
}

// gone remembers a record that is evicted, before it is removed.
func (o *order) gone(r *record) {
	g := ofFrequent
	if r.queue == recent {
		g = ofRecent
	}
	o.ghosts.add(r.hash, g, o.spans(), o.len(recent)+o.frequent())
}

// spans returns how many ghosts of each queue are remembered: as many of one as
// the other has records, so that a record and its ghost together stay as long as
// in a cache of twice the size.
func (o *order) spans() (s [2]int) {
	s[ofRecent], s[ofFrequent] = o.frequent(), o.len(recent)
	return s
}

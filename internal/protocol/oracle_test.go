package protocol

// oracle knows, from what callers were told, which values a read that begins
// now must not return. Values are the numbers of writes, and sets of them are
// bits. A failed write may take effect at any time, and a value may be
// forgotten at any time.
type oracle struct {
	stale  uint8    // overwritten for certain
	seen   uint8    // acknowledged, or returned by a read
	before [5]uint8 // by write: what had been seen when it began
	wrong  bool     // a read has returned what it must not
}

// begun notes that a write begins.
func (o *oracle) begun(w uint8) { o.before[w] = o.seen }

// done notes that a write was acknowledged.
func (o *oracle) done(w uint8) {
	o.stale |= o.before[w]
	o.seen |= 1 << w
}

// read notes that a read returned w. Stale and older are the sets stale and
// seen of the moment when it began.
func (o *oracle) read(w, stale, older uint8) {
	o.wrong = o.wrong || stale>>w&1 == 1
	o.stale |= older&^(1<<w) | o.before[w]
	o.seen |= 1 << w
}

// with returns what is known in o or in p.
func (o oracle) with(p *oracle) oracle {
	o.stale |= p.stale
	o.seen |= p.seen
	for w := range o.before {
		o.before[w] |= p.before[w]
	}
	return o
}

const (
	staleHit  = "P1: a read returns what was overwritten before it began"
	lost      = "P2: an acknowledged Set is not readable at the owner"
	stuck     = "the owner does not become active"
	unheard   = "a call is never answered"
	unbacked  = "a backup does not have the owner's copy"
	restless  = "the cluster never comes to rest"
	kept      = "a copy is never freed"
	undeleted = "a deletion that was answered Partial is never done"
)

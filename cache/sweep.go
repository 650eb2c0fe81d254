package cache

import "time"

const (
	sweepEvery = time.Second
	// sweepTicks is how many ticks it takes to go through everything once.
	sweepTicks = 16
	// worthRenewing is a number of entries whose map is worth giving back.
	worthRenewing = 128
)

// sweep frees what is dead, the slots of one tick after those of the last, and
// one slot under its shard's lock at a time.
func (s *Store) sweep() {
	defer close(s.stopped)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for slot := 0; ; {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		for range Slots / sweepTicks {
			select {
			case <-s.stop:
				return
			default:
			}
			s.sweepSlot(slot)
			slot = (slot + 1) % Slots
		}
	}
}

func (s *Store) sweepSlot(slot int) {
	sh, sl := s.lockSlot(slot)
	defer sh.mu.Unlock()
	t := sh.moment()
	sh.settle(slot, sl, &t)
	for i := range sh.held {
		if k := &sh.held[i]; k.count == 0 && k.peak > worthRenewing {
			k.renew()
		}
	}
}

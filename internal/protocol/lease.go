package protocol

import "time"

// lease says that a member may serve a near copy of a key until then, on this
// owner's clock. The member counts from before it asked, so it stops first
// (Gray and Cheriton, Leases, 1989).
type lease struct {
	holder Member
	until  time.Duration
}

// lend records a lease for the reader and tells whether it may keep its copy.
// None is given while the key is being written, to a member that a take would
// not reach, or when too many are lent already.
func (s *Slot) lend(g Get, now time.Duration) bool {
	if g.Near <= 0 || g.From == s.sh.Self {
		return false
	}
	if !contains(s.table.Active, g.From) && !s.sh.off.leaseMem {
		return false
	}
	if s.leases >= s.sh.MaxLeases {
		return false
	}
	k := s.key(g.Ref)
	if k.write != nil && !s.sh.off.idle {
		return false
	}
	for i := range k.leases {
		if k.leases[i].holder == g.From {
			k.leases[i].until = max(k.leases[i].until, now+g.Near)
			return true
		}
	}
	if !s.sh.Leases.take() {
		s.tidy(g.Ref, k)
		return false
	}
	prune := now + max(g.Near, pruneEvery)
	if s.leases == 0 || prune < s.nextPrune {
		s.nextPrune = prune
	}
	k.leases = append(k.leases, lease{g.From, now + g.Near})
	s.leases++
	return true
}

func (s *Slot) dropLease(k *key, m Member) {
	for i := range k.leases {
		if k.leases[i].holder == m {
			k.leases = append(k.leases[:i], k.leases[i+1:]...)
			s.leases--
			s.sh.Leases.give(1)
			return
		}
	}
}

// pruneEvery is how often ended leases are dropped at most. They count for nothing
// from their end on: this only frees their memory. Looking at the keys of thousands
// of slots costs more than that is worth when it is done each second.
const pruneEvery = 4 * time.Second

// pruneLeases drops a key's ended leases, and returns when the next one ends, or
// next if that comes before.
func (s *Slot) pruneLeases(k *key, now, next time.Duration) time.Duration {
	for i := 0; i < len(k.leases); {
		l := k.leases[i]
		if l.until <= now {
			s.dropLease(k, l.holder)
			continue
		}
		next = min(next, l.until)
		i++
	}
	return next
}

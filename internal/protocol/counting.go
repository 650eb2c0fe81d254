package protocol

import "slices"

// counting returns the grants whose copies count: those that were not granted
// away before, or only to members that never came to serve with them; and of
// these, those from which no other copy was made.
func (t *take) counting(off *rules) []grant {
	list := make([]grant, 0, 2) // an owner's and a backup's, most often
	for i := range t.grants {
		g := &t.grants[i]
		if g.term.held() && (t.unused(g, off) || off.spent) && (!t.descended(g) || off.descent) {
			list = append(list, *g)
		}
	}
	return list
}

// unused tells whether a copy that was granted to takers before is still the
// newest: none of them has become active since. A taker that is among the
// givers says so itself. One that is gone may have served, and gone with what
// was written to it; but it cannot have before every backup of its table had
// its copy, and so one of those that is among the givers, and never accepted a
// Sync with a term above this copy's, says it as well. With at most as many
// gone as the slot has backups, one of taker and backups is left to tell.
func (t *take) unused(g *grant, off *rules) bool {
	for i := range g.spends {
		sp := &g.spends[i]
		if taker := t.giver(sp.To); taker != nil {
			if taker.taken >= sp.Nonce {
				return false
			}
			continue
		}
		idle := func(m Member) bool {
			b := t.giver(m)
			return b != nil && b.backed <= g.term.Count
		}
		if off.witness || !slices.ContainsFunc(sp.Backups, idle) {
			return false
		}
	}
	return true
}

// descended tells whether a giver has a copy that was made from g's: by its
// raiser with a higher term, or by a taker to whom g's had been granted. Such
// copies are of one lineage, and all that g's has is in the other.
func (t *take) descended(g *grant) bool {
	for i := range t.grants {
		h := &t.grants[i]
		if !h.term.held() || h.term.Count <= g.term.Count {
			continue
		}
		if h.term.Raiser == g.term.Raiser {
			return true
		}
		if slices.ContainsFunc(g.spends, func(sp Spend) bool { return sp.To == h.term.Raiser && sp.First <= h.made }) {
			return true
		}
	}
	return false
}

// distinct leaves out grants that are of the same term and content as another,
// as an owner's and its backups' are. It prefers this node's own, and then one
// whose content is there.
func distinct(list []grant, self Member) []grant {
	kept := list[:0]
	for _, g := range list {
		i := slices.IndexFunc(kept, func(k grant) bool { return k.term == g.term && k.have == g.have })
		if i < 0 {
			kept = append(kept, g)
			continue
		}
		floor := max(kept[i].floor, g.floor)
		if g.from == self || kept[i].from != self && kept[i].content == nil {
			kept[i] = g
		}
		kept[i].floor = floor
	}
	return kept
}

func (t *take) giver(m Member) *grant {
	for i := range t.grants {
		if t.grants[i].from == m {
			return &t.grants[i]
		}
	}
	return nil
}

// maxSpends is how many takers a copy remembers. With more it counts no longer.
const maxSpends = 8

// spend notes that the copy has been granted. Of several takes of one member
// the first is kept, since its copy is used once any of them was; but where
// the member says that it has not served since, the last one is kept, whose
// backups may be others.
func (s *Slot) spend(to Member, m *Message) {
	for i := range s.spends {
		if sp := &s.spends[i]; sp.To == to {
			if m.Taken < sp.Nonce && len(sp.Backups)+len(s.backups) > 0 {
				sp.Nonce, sp.Backups = m.Nonce, s.backups
			}
			return
		}
	}
	sp := Spend{To: to, Nonce: m.Nonce, First: m.Nonce, Backups: s.backups}
	if len(s.spends) == maxSpends {
		sp = Spend{} // of nobody, who is never among the givers
	}
	if len(s.spends) <= maxSpends {
		s.spends = append(s.spends, sp)
	}
}

func (t *take) gave(m Member) bool { return t.giver(m) != nil }

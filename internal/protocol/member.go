package protocol

// Member is one run of one node: its incarnation, drawn at random when it
// starts and never used again. Zero is nobody.
type Member uint64

// Term counts the takes of a slot. Every copy of a slot carries the term of
// the owner that it comes from. Terms that differ only in their raiser belong
// to two lineages: owners that did not know each other. The zero Term is no
// copy at all.
type Term struct {
	Count  uint64
	Raiser Member
}

// held tells whether there is a copy that has this term.
func (t Term) held() bool { return t.Count > 0 }

// Generation counts a cache's clears. Entries of an older generation are dead.
type Generation struct {
	Count  uint64
	Raiser Member
}

// Merge returns the generation of a cache that has seen both a and b. Two
// clears that reached the same count without knowing of each other end in a
// count above both, the same on every node whatever it heard first.
func (a Generation) Merge(b Generation) Generation {
	switch {
	case a.Count > b.Count:
		return a
	case b.Count > a.Count:
		return b
	case a.Raiser == b.Raiser:
		return a
	}
	return Generation{Count: a.Count + 1}
}

// contains tells whether list has m.
func contains(list []Member, m Member) bool {
	for _, x := range list {
		if x == m {
			return true
		}
	}
	return false
}

// without returns list less m, in place.
func without(list []Member, m Member) []Member {
	for i, x := range list {
		if x == m {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

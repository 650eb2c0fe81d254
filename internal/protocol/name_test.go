package protocol

import "fmt"

// name says what a step is, for people and for recorded traces.
func (r *runner) name(w *world, st step) string {
	x, y := letter(st.x), letter(st.y)
	switch st.kind {
	case deliver:
		return x + " <- " + r.packetName(st.p)
	case loseIt:
		return "lost: " + x + " <- " + r.packetName(st.p)
	case twice:
		return "first of two: " + x + " <- " + r.packetName(st.p)
	case readHere:
		return x + ": reads what it has"
	case startGet:
		return x + ": starts a read"
	case sendGet:
		return x + ": sends a read, and switches"
	case sendAhead:
		return fmt.Sprintf("%s: sends %s %d", x, kindWord(r.sc.kinds[st.y-1]), st.y)
	case sendNow:
		return fmt.Sprintf("%s: sends %s %d, and switches", x, kindWord(r.sc.kinds[st.y-1]), st.y)
	case startWrite:
		return fmt.Sprintf("%s: starts %s %d", x, kindWord(r.sc.kinds[st.y-1]), st.y)
	case sendOn:
		return fmt.Sprintf("%s: sends %d on", x, st.y)
	case sendTwice:
		return fmt.Sprintf("%s: sends %d again", x, st.y)
	case sendDelete:
		return x + ": sends its unfinished deletion"
	case leaseEnds:
		return x + ": its near copy ends"
	case lentEnds:
		return x + ": what it lent to " + y + " ends"
	case revokeAllEnds:
		return x + ": the last owner's leases end"
	case switchTable:
		at := r.sc.seq[st.x][w.nodes[st.x].at+1]
		return fmt.Sprintf("%s: switches to table %d (%s, owner %s%s)", x, at, letters(r.sc.tabs[at].members), letter(r.sc.tabs[at].owner), backupsName(r.sc.tabs[at].backups))
	case leave:
		return x + ": leaves"
	case crash:
		return x + ": crashes"
	case restart:
		return x + ": starts"
	case toldGone:
		return x + ": hears that " + y + "'s process is gone"
	case evictIt:
		return x + ": evicts what it has"
	case evictOther:
		return x + ": evicts another key"
	case expireIt:
		return x + ": what it has expires"
	case loadEnds:
		return fmt.Sprintf("%s: load %d ends", x, w.sides[st.x].loads[st.y].w)
	case deadline:
		return fmt.Sprintf("%s: the deadline of %d passes", x, st.y)
	case resend:
		return x + ": sends again what is unanswered"
	case proceed:
		return x + ": goes on"
	case cutApart:
		return "the two sides are cut apart"
	case heal:
		return "the cut is over"
	case barredEnds:
		return x + ": its answers end for whom it took out"
	case waitEnds:
		return x + ": has waited for who was taken out"
	case copyAhead:
		return x + ": copies ahead from " + y
	}
	return "?"
}

func backupsName(set uint8) string {
	if set == 0 {
		return ""
	}
	return ", backups " + letters(set)
}

func kindWord(k byte) string {
	return map[byte]string{'s': "set", 'd': "delete", 'c': "clear", 'l': "load"}[k]
}

func (r *runner) packetName(p *packet) string {
	from := letter(p.from)
	switch p.kind {
	case aMessage:
		s := p.msg.Kind.String() + " " + fmt.Sprint(p.msg.Nonce) + " from " + from
		if len(p.msg.Content) == 1 {
			s += " with " + itemName(p.msg.Content)
		}
		if p.msg.Kind == Clear || p.msg.Kind == Cleared || p.msg.Kind == Forget {
			s += fmt.Sprintf(" generation %d/%d", p.msg.Generation.Count, p.msg.Generation.Raiser)
		}
		return s
	case aGet:
		return "read by " + from
	case aWrite:
		return fmt.Sprintf("write %d by %s", p.w, from)
	case anAgain:
		return "deletion again by " + from
	case anAnswer:
		s := fmt.Sprintf("answer %x from %s: %s", uint64(p.answer.Call), from, p.answer.Status)
		if p.answer.Status == Found {
			s += fmt.Sprintf(" %d", p.answer.Value[0])
		}
		if p.answer.Lease {
			s += ", lent"
		}
		return s
	case aCopy:
		return "copy for " + from
	case aCopied:
		return "copied by " + from + " " + itemName(p.items)
	case aFetch:
		return "fetch for " + from
	case aFetched:
		return "fetched from " + from + " " + itemName(p.items)
	}
	return "?"
}

func itemName(items []Item) string {
	if len(items) == 0 {
		return "nothing"
	}
	if items[0].Tombstone {
		return fmt.Sprintf("tombstone v%d", items[0].Version)
	}
	return fmt.Sprintf("%d v%d", items[0].Value[0], items[0].Version)
}

package cluster

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/peercache/peercache/internal/protocol"
)

// Two active nodes that find each other may have served the same slots, each
// without the other's grant: two that started alone at the same moment, or two
// sides of a split. Then both must take their slots again, so that what either
// has becomes one. In the ordinary case, where one of them joined a cluster in
// which the other already was, nothing of the kind is needed. So before an
// active member comes into the table of an active node, the two compare:
//
//   - if either was in the other's table when that became active, the one that
//     came later has taken nothing without the other's grant;
//   - if either has never served a slot, there is nothing to be made one;
//   - otherwise, or if one of them dropped the other meanwhile, they are
//     strangers, and both take all their slots again. That a member was dropped
//     is told as a count, again and again until it has acted upon it: an answer
//     may be lost.

// terms are what two nodes tell each other when they meet.
type terms struct {
	kin    bool   // the other was in my table when I became active
	served bool   // I have served a slot
	drops  uint64 // how often I have taken the other out of my table
}

func (t terms) append(b []byte) []byte {
	flags := byte(0)
	for i, on := range []bool{t.kin, t.served} {
		if on {
			flags |= 1 << i
		}
	}
	return binary.AppendUvarint(append(b, flags), t.drops)
}

func (d *decoder) terms() terms {
	flags := d.byte()
	return terms{kin: flags&1 != 0, served: flags&2 != 0, drops: d.uvarint()}
}

// servedApart tells whether two nodes have served without each other's grants.
func servedApart(a, b terms) bool { return !a.kin && !b.kin && a.served && b.served }

// unmet lists the active members that are yet to be asked. It is called with
// mu held.
func (r *roster) unmet() []record {
	if !r.self.inTable() {
		return nil
	}
	var list []record
	for _, o := range r.others {
		if o.inTable() && !o.met && !o.meeting {
			o.meeting = true
			list = append(list, o.record)
		}
	}
	return list
}

// terms returns what this node has to say to a member.
func (r *roster) terms(id protocol.Member) (record, terms) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := terms{kin: r.kin[id], served: r.node.served.Load()}
	if o := r.others[id]; o != nil {
		t.drops = o.mine
	}
	return r.self, t
}

// meet takes in what another active node has said, lets it into the table, and
// returns this node's terms as they are after that.
func (r *roster) meet(rec record, theirs terms) (record, terms) {
	r.mu.Lock()
	changed := r.learnOne(fromItself, &rec)
	o := r.others[rec.ID]
	mine := terms{kin: r.kin[rec.ID], served: r.node.served.Load()}
	self := r.self
	if o == nil || !o.inTable() || !self.inTable() {
		r.settle(changed, false)
		return self, mine
	}
	mine.drops = o.mine
	changed = changed || !o.met
	dropped := o.dropped || theirs.drops != o.theirs
	o.met, o.meeting, o.dropped, o.theirs = true, false, false, theirs.drops
	if dropped {
		o.stranger = false // it is not the meeting for which all was taken again
	}
	again := r.takeAgain(o, dropped || servedApart(mine, theirs))
	r.settle(changed || again, again)
	anew := again
	// A slot may have become active between the question and the new table.
	if served := r.node.served.Load(); served && !mine.served {
		mine.served = true
		r.mu.Lock()
		again = r.takeAgain(o, dropped || servedApart(mine, theirs))
		r.settle(again, again)
		anew = anew || again
	}
	if anew {
		r.node.log.Info("cluster: meeting a member that served on its own: taking all slots again", "member", rec.Name)
	}
	return self, mine
}

// takeAgain tells whether all slots are to be taken again because of a member:
// once is enough. It is called with mu held.
func (r *roster) takeAgain(o *other, stranger bool) bool {
	if !stranger || o.stranger || r.node.cfg.faults.has(noStrangers) {
		return false
	}
	o.stranger = true
	return true
}

// meetSoon asks a member until it has answered or is one no longer.
func (n *Node) meetSoon(rec record) {
	n.spawn(func(ctx context.Context) {
		wait := 10 * time.Millisecond
		for {
			l := n.members.link(rec.ID)
			if l == nil {
				return
			}
			if n.meetOnce(ctx, l, tellFor) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
		}
	})
}

// meetOnce asks a member, and again if this node began to serve meanwhile.
func (n *Node) meetOnce(ctx context.Context, l *link, timeout time.Duration) bool {
	self, mine := n.members.terms(l.id)
	body := mine.append(self.append(nil))
	reply, err := l.call(ctx, kindMeet, body, timeout)
	if err != nil {
		return false
	}
	d := decoder{b: reply}
	rec, theirs := d.record(), d.terms()
	if d.err() != nil || rec.ID != l.id {
		return false
	}
	if n.served.Load() != mine.served {
		return false
	}
	n.members.meet(rec, theirs)
	return n.served.Load() == mine.served
}

// onMeet answers the question.
func (n *Node) onMeet(body []byte) ([]byte, error) {
	d := decoder{b: body}
	rec, theirs := d.record(), d.terms()
	if err := d.err(); err != nil {
		return nil, err
	}
	self, mine := n.members.meet(rec, theirs)
	return mine.append(self.append(nil)), nil
}

package cluster

import "github.com/peercache/peercache/gossip"

func (n *Node) onGossip(e gossip.Event) {
	n.stalled()
	if !n.cfg.faults.event(n, e) {
		n.hear(e)
	}
}

// hear takes in what gossip says about a member.
func (n *Node) hear(e gossip.Event) {
	d := decoder{b: e.Member.Meta}
	rec := d.record()
	if d.err() != nil {
		n.log.Warn("cluster: a member's metadata is not understood", "member", e.Member.ID)
		return
	}
	if rec.Speaks.Major != spoken.Major {
		n.log.Warn("cluster: a member speaks another version of the protocol and is passed over",
			"member", e.Member.ID, "its version", rec.Speaks.Major, "own version", spoken.Major)
		return
	}
	rec.Gossip = e.Member.Addr
	switch e.Kind {
	case gossip.Joined, gossip.Updated:
		n.members.learn(fromGossip, rec)
	case gossip.Left:
		n.members.depart(rec.ID, true)
	case gossip.Failed:
		n.doubt(rec.ID)
	}
}

func (n *Node) onGossipState(b []byte) {
	d := decoder{b: b}
	gens := n.caches.decodeGenerations(&d)
	if d.err() != nil {
		n.log.Warn("cluster: gossiped state is not understood")
		return
	}
	for _, g := range gens {
		n.caches.Merge(g.Cache, g.Generation)
	}
}

// spreadState puts this node's record into its gossip metadata. The newest one
// comes last.
func (n *Node) spreadState() {
	n.spreading <- struct{}{} // not for long
	defer func() { <-n.spreading }()
	me := n.members.me()
	if err := n.gossip.SetMeta(me.append(nil)); err != nil {
		n.log.Warn("cluster: spreading the state by gossip failed", "err", err)
	}
}

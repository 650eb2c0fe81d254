package gossip

import (
	"net"
	"net/netip"

	"github.com/hashicorp/memberlist"
)

// sendLarge sends b, an encoded broadcast that fits into no packet, to each
// member by a stream of its own.
func (g *Gossip) sendLarge(b []byte) error {
	var to []memberlist.Node
	for _, m := range g.members.list() {
		if n, err := node(m); err == nil {
			to = append(to, n)
		}
	}
	if len(to) == 0 {
		return nil
	}
	c := g.casts
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.large >= maxLarge || c.largeBytes+len(b) > maxLargeBytes {
		return ErrOverloaded
	}
	c.large++
	c.largeBytes += len(b)
	msg := &largeMessage{b: b, left: len(to)}
	for _, n := range to {
		c.jobs = append(c.jobs, largeJob{n, msg})
	}
	for ; c.sending < min(maxSending, len(c.jobs)); c.sending++ {
		if !g.spawn(g.sendJobs) {
			break
		}
	}
	return nil
}

// sendJobs sends large messages until there are none, or the node is closed.
func (g *Gossip) sendJobs() {
	c := g.casts
	for {
		c.mu.Lock()
		if len(c.jobs) == 0 || g.ctx.Err() != nil {
			c.sending--
			c.mu.Unlock()
			return
		}
		job := c.jobs[0]
		c.jobs[0] = largeJob{}
		c.jobs = c.jobs[1:]
		c.mu.Unlock()

		if err := g.list.SendReliable(&job.to, job.msg.b); err != nil && g.ctx.Err() == nil {
			g.log.Debug("gossip: a large broadcast did not reach a member", "member", job.to.Name, "err", err)
		}

		c.mu.Lock()
		if job.msg.left--; job.msg.left == 0 {
			c.large--
			c.largeBytes -= len(job.msg.b)
		}
		c.mu.Unlock()
	}
}

// node makes of a member what memberlist sends to. memberlist's own is not to
// be read outside its lock.
func node(m Member) (memberlist.Node, error) {
	a, err := netip.ParseAddrPort(m.Addr)
	if err != nil {
		return memberlist.Node{}, err
	}
	return memberlist.Node{Name: m.ID, Addr: net.IP(a.Addr().AsSlice()), Port: a.Port()}, nil
}

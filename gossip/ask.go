package gossip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
)

// strangers is what memberlist says when the other end is not one of ours, and
// what it means.
var strangers = [][2]string{
	{"no installed keys could decrypt", "it has another key"},
	{"encryption is configured but remote state is not encrypted", "it does not encrypt, and this node does"},
	{"remote state is encrypted and encryption is not configured", "it encrypts, and this node does not"},
	{"invalid msgType", "it does not speak this protocol"},
}

var errForeign = errors.New("it is not of this cluster")

// ask exchanges state with whoever is at addr, which makes both members of one
// cluster.
func (g *Gossip) ask(addr string) error {
	_, err := g.list.Join([]string{addr})
	if err == nil {
		return nil
	}
	if first := errors.Unwrap(err); first != nil {
		err = first // memberlist wraps it in a list over several lines
	}
	for _, f := range strangers {
		if strings.Contains(err.Error(), f[0]) {
			return fmt.Errorf("%w: %s (%w)", errForeign, f[1], err)
		}
	}
	return err
}

// refreshWith is how many members Refresh asks.
const refreshWith = 3

// Refresh exchanges state with a few members at once, in the background. It is
// for a node that may have missed much, because its process was stopped: the
// others may have taken it for dead and do not tell it any longer.
func (g *Gossip) Refresh() {
	all := g.members.list()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, m := range all[:min(len(all), refreshWith)] {
		g.spawn(func() { // ends with the exchange
			if err := g.ask(m.Addr); err != nil {
				g.log.Debug("gossip: a member did not answer", "member", m.ID, "err", err)
			}
		})
	}
}

// ownAddrs returns the addresses at which this node would find itself.
func (g *Gossip) ownAddrs() map[string]bool {
	own := map[string]bool{g.addr: true}
	if g.cfg.Transport != nil {
		return own
	}
	own[g.bound.String()] = true
	if g.bound.Addr().IsUnspecified() {
		ifs, _ := net.InterfaceAddrs() // what cannot be listed is only joined in vain
		for _, i := range ifs {
			if p, err := netip.ParsePrefix(i.String()); err == nil {
				own[netip.AddrPortFrom(p.Addr().Unmap(), g.bound.Port()).String()] = true
			}
		}
	}
	return own
}

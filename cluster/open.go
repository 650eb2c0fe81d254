package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/hashicorp/memberlist"
	"github.com/peercache/peercache/gossip"
	"github.com/peercache/peercache/internal/wire"
)

// open binds the ports and starts the node's goroutines.
func (n *Node) open(ctx context.Context) error {
	listen := n.cfg.listen
	if listen == nil {
		listen = new(net.ListenConfig).Listen
	}
	ln, err := listen(ctx, "tcp", n.cfg.Peer)
	if err != nil {
		return fmt.Errorf("cluster: Peer %s: %w", n.cfg.Peer, err)
	}
	host, err := advertised(n.cfg)
	if err != nil {
		_ = ln.Close()
		return err
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	n.members.self.Peer = net.JoinHostPort(host, port)
	if err := n.openWire(ln); err != nil {
		_ = ln.Close()
		return err
	}
	if err := n.openGossip(host); err != nil {
		return err
	}
	n.members.setGossip(n.gossip.Addr())
	n.spreadState()
	n.spawn(n.tick)
	n.spawn(n.watch)
	return nil
}

// maxFrame has room for a value, and for all that a node knows of members and caches.
func (n *Node) maxFrame() int { return max(4<<20, n.cfg.MaxValue+64<<10) }

func (n *Node) openWire(ln net.Listener) error {
	n.wire = wire.Config{
		Protocol: spoken,
		MaxFrame: n.maxFrame(),
		Hello:    binary.BigEndian.AppendUint64(nil, uint64(n.id)),
		Logger:   n.log,
		Dial:     n.cfg.dial,
		Kinds:    []wire.Kind{kindGet, kindSet, kindDelete, kindMany, kindCopy, kindFetch, kindPush, kindMembers, kindMeet, kindPrepare, kindBatch, kindReach},
	}
	n.cfg.faults.wire(&n.wire)
	if n.cfg.Secret != "" {
		c, err := wire.NewCredentials(n.cfg.Secret, n.cfg.OldSecrets)
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		n.wire.Credentials = c
	}
	var err error
	n.server, err = wire.Serve(ln, n.wire, n.serve)
	return err
}

func (n *Node) openGossip(host string) error {
	var keys [][]byte
	if n.cfg.Secret != "" {
		for _, s := range append([]string{n.cfg.Secret}, n.cfg.OldSecrets...) {
			keys = append(keys, wire.DeriveKey(s, "peercache gossip", 32))
		}
	}
	advertise := ""
	if bind, _, _ := net.SplitHostPort(n.cfg.Bind); bind != host {
		advertise = net.JoinHostPort(host, "0")
	}
	var transport memberlist.Transport
	if n.cfg.transport != nil {
		var err error
		if transport, err = n.cfg.transport(n.cfg.Bind); err != nil {
			return fmt.Errorf("cluster: Bind %s: %w", n.cfg.Bind, err)
		}
	}
	g, err := gossip.Start(gossip.Config{
		ID: n.cfg.Name + "/" + strconv.FormatUint(uint64(n.id), 16), Bind: n.cfg.Bind, Advertise: advertise,
		Join: n.cfg.Join, Keys: keys, Meta: n.members.self.append(nil), Logger: n.log, Transport: transport, Resolver: n.cfg.resolver,
		LocalState: func(bool) []byte { return n.caches.appendGenerations(nil, n.caches.Append(nil)) },
		MergeState: func(b []byte, _ bool) { n.onGossipState(b) },
		OnEvent:    n.onGossip,
		OnMessage:  n.onGossipState,
	})
	if err != nil {
		return fmt.Errorf("cluster: Bind %s: %w", n.cfg.Bind, err)
	}
	n.gossip = g
	return nil
}

// advertised is the address under which the others reach this node.
func advertised(cfg Config) (string, error) {
	if cfg.Advertise != "" {
		return cfg.Advertise, nil
	}
	host, _, _ := net.SplitHostPort(cfg.Bind)
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		return ip.String(), nil
	}
	if host != "" {
		if a, err := net.ResolveIPAddr("ip", host); err == nil && !a.IP.IsUnspecified() {
			return a.IP.String(), nil
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("cluster: no address to advertise: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsPrivate() {
			return p.Addr().String(), nil
		}
	}
	return "", errors.New("cluster: no private address was found to advertise: set Advertise")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"

	"github.com/peercache/peercache/cluster"
)

// peerTries is how many ports after the gossip port are tried for the peers'.
const peerTries = 100

func startNode(ctx context.Context, cfg config, secret string, log *slog.Logger) (*cluster.Node, error) {
	c := cluster.Config{
		Name: cfg.name, Bind: cfg.bind, Peer: cfg.peer, Join: cfg.join, Secret: secret, Backups: cfg.backups,
		Memory: cfg.memory, NearTTL: cfg.nearTTL, Fence: cfg.fence, Logger: log,
	}
	host, port, err := net.SplitHostPort(cfg.bind)
	if err != nil {
		return nil, fmt.Errorf("-bind %s: %w", cfg.bind, err)
	}
	gossip, _ := strconv.Atoi(port) // checked with the flags
	if c.Peer != "" || gossip == 0 {
		return cluster.Start(ctx, c)
	}
	for p := gossip + 1; p <= min(gossip+peerTries, 65535); p++ {
		c.Peer = net.JoinHostPort(host, strconv.Itoa(p))
		if inUse(ctx, c.Peer) {
			continue
		}
		node, err := cluster.Start(ctx, c)
		if errors.Is(err, syscall.EADDRINUSE) && inUse(ctx, c.Peer) {
			continue // somebody was faster
		}
		return node, err
	}
	return nil, fmt.Errorf("-bind %s: none of the %d ports after it is free: give one with -peer", cfg.bind, peerTries)
}

func inUse(ctx context.Context, addr string) bool {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = ln.Close()
	return false
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/peercache/peercache/cluster"
)

const (
	serverName = "server"
	cacheName  = "remoteget"
	joinFor    = 20 * time.Second
)

// startNode starts a node that keeps no near copies, and waits until it is
// active.
func startNode(ctx context.Context, name string, tls bool, join ...string) (*cluster.Node, *cluster.Cache[[]byte], error) {
	n, err := cluster.Start(ctx, cluster.Config{Name: name, Join: join, Secret: secret(tls), NearTTL: -1})
	if err != nil {
		return nil, nil, err
	}
	c, err := cluster.NewCache(n, cacheName, cluster.Options[[]byte]{})
	if err != nil {
		_ = n.Close()
		return nil, nil, err
	}
	select {
	case <-n.Active():
		return n, c, nil
	case <-time.After(joinFor):
	case <-ctx.Done():
	}
	_ = n.Close()
	return nil, nil, fmt.Errorf("the node is not active: %w", n.Ready())
}

func serveCluster(tls bool) (any, func(), error) {
	n, _, err := startNode(context.Background(), serverName, tls)
	if err != nil {
		return nil, nil, err
	}
	return n.GossipAddr(), func() { _ = n.Close() }, nil
}

// dialCluster joins the server's node, and asks for keys that the server owns.
func dialCluster(ctx context.Context, tls bool, where json.RawMessage) (getFunc, []string, func(), error) {
	var addr string
	if err := json.Unmarshal(where, &addr); err != nil {
		return nil, nil, nil, err
	}
	n, c, err := startNode(ctx, "client", tls, addr)
	if err != nil {
		return nil, nil, nil, err
	}
	end := func() { _ = n.Close() }
	var keys []string
	for from := 0; len(keys) < keyCount; from++ {
		if from > 100*keyCount {
			end()
			return nil, nil, nil, errors.New("the server owns too few keys")
		}
		if k := makeKeys(from, 1)[0]; n.Where(cacheName, k).Owner == serverName {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if err := c.Set(ctx, k, makeValue(k)); err != nil {
			end()
			return nil, nil, nil, err
		}
	}
	_, from, err := c.Lookup(ctx, keys[0])
	if want := "peer " + serverName; err == nil && from.String() != want {
		err = fmt.Errorf("a value came from %q, not %q", from, want)
	}
	if err != nil {
		end()
		return nil, nil, nil, err
	}
	return c.Get, keys, end, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/peercache/peercache/internal/wire"
)

const (
	kindGet wire.Kind = 1

	codeMissing byte = 1

	callTimeout = time.Second
)

func wireConfig(tls bool) (wire.Config, error) {
	c := wire.Config{Protocol: wire.Version{Major: 1}, Kinds: []wire.Kind{kindGet}}
	if !tls {
		return c, nil
	}
	var err error
	c.Credentials, err = wire.NewCredentials(secret(tls), nil)
	return c, err
}

// serveWire answers requests, whose body is a key, from a map.
func serveWire(tls bool) (any, func(), error) {
	values := make(map[string][]byte)
	for _, k := range makeKeys(0, keyCount) {
		values[k] = makeValue(k)
	}
	cfg, err := wireConfig(tls)
	if err != nil {
		return nil, nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s, err := wire.Serve(ln, cfg, func(c *wire.Conn, r wire.Request) {
		// An answer that does not go out is noticed by the client, who waits.
		if v, ok := values[string(r.Body)]; ok {
			_ = c.Reply(r.ID, v)
		} else {
			_ = c.Fail(r.ID, codeMissing, "no such key")
		}
	})
	if err != nil {
		_ = ln.Close()
		return nil, nil, err
	}
	return ln.Addr().String(), func() { s.Close() }, nil
}

func dialWire(ctx context.Context, tls bool, where json.RawMessage) (getFunc, []string, func(), error) {
	var addr string
	if err := json.Unmarshal(where, &addr); err != nil {
		return nil, nil, nil, err
	}
	cfg, err := wireConfig(tls)
	if err != nil {
		return nil, nil, nil, err
	}
	c, err := wire.Dial(ctx, addr, cfg, func(*wire.Conn, wire.Request) {})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("dialing: %w", err)
	}
	get := func(ctx context.Context, key string) ([]byte, error) {
		return c.Call(ctx, kindGet, []byte(key), callTimeout)
	}
	return get, makeKeys(0, keyCount), func() { c.Close() }, nil
}

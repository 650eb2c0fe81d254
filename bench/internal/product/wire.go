package product

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
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

// openWire is peercache's own connection, and nothing around it.
func openWire(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	cfg, err := wireConfig(p.TLS)
	if err != nil {
		return nil, err
	}
	if p.Serve {
		return serveWire(cfg)
	}
	addr, err := decode[string](others[0])
	if err != nil {
		return nil, err
	}
	c, err := wire.Dial(ctx, addr, cfg, func(*wire.Conn, wire.Request) {})
	if err != nil {
		return nil, fmt.Errorf("dialing: %w", err)
	}
	get := func(ctx context.Context, key string) ([]byte, error) {
		return c.Call(ctx, kindGet, []byte(key), callTimeout)
	}
	return &Part{Get: get, Load: true, Close: func() { c.Close() }}, nil
}

// serveWire answers requests, whose body is a key, from a map.
func serveWire(cfg wire.Config) (*Part, error) {
	values := make(map[string][]byte)
	for _, k := range load.Keys(0, FloorKeys) {
		values[k] = load.Value(k)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
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
		return nil, err
	}
	return &Part{Where: ln.Addr().String(), Close: func() { s.Close() }}, nil
}

// secret is what both ends know where there is TLS.
func secret(tls bool) string {
	if tls {
		return "a secret for measuring only"
	}
	return ""
}

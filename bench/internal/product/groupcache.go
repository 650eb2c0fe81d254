package product

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/golang/groupcache"

	"github.com/peercache/peercache/bench/internal/load"
)

const groupName = "bench"

// tuned keeps idle connections for as many callers as there are:
// http.DefaultTransport keeps two of each host, and would spend its time on
// opening others. It sets no timeout, which is in the product's favour.
func tuned(callers int) *http.Transport {
	return &http.Transport{
		MaxIdleConns: 0, MaxIdleConnsPerHost: max(callers, 2), IdleConnTimeout: time.Minute, DisableCompression: true,
	}
}

// openGroupcache is a server as groupcache's documentation has it: a pool, and a
// group that fills itself. A client's group has no room, so that every get is
// remote.
func openGroupcache(_ context.Context, p Place, others []json.RawMessage) (*Part, error) {
	if !p.Serve {
		server, err := decode[string](others[0])
		if err != nil {
			return nil, err
		}
		transport := tuned(p.Callers)
		pool := groupcache.NewHTTPPool("http://client.invalid")
		pool.Transport = func(context.Context) http.RoundTripper { return transport }
		pool.Set(server)
		group := groupcache.NewGroup(groupName, 0, groupcache.GetterFunc(
			func(context.Context, string, groupcache.Sink) error { return errors.New("the key is not remote") }))
		get := func(ctx context.Context, key string) ([]byte, error) {
			var v []byte
			err := group.Get(ctx, key, groupcache.AllocatingByteSliceSink(&v))
			return v, err
		}
		return &Part{Get: get, Load: true, Close: transport.CloseIdleConnections}, nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	self := "http://" + ln.Addr().String()
	pool := groupcache.NewHTTPPool(self)
	pool.Set(self)
	groupcache.NewGroup(groupName, memory, groupcache.GetterFunc(
		func(_ context.Context, key string, dest groupcache.Sink) error { return dest.SetBytes(load.Value(key)) }))
	s := &http.Server{}
	go func() { _ = s.Serve(ln) }() // ends with Close
	return &Part{Where: self, Close: func() { _ = s.Close() }}, nil
}

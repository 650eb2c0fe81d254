package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/golang/groupcache"
	pb "github.com/golang/groupcache/groupcachepb"
)

const groupName = "remoteget"

// serveGroupcache is a server as groupcache's documentation has it: a pool whose
// only peer is this process, and a group that fills itself from a map. All
// values fit into its cache.
func serveGroupcache(bool) (any, func(), error) {
	values := make(map[string][]byte)
	for _, k := range makeKeys(0, keyCount) {
		values[k] = makeValue(k)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	self := "http://" + ln.Addr().String()
	pool := groupcache.NewHTTPPool(self)
	pool.Set(self)
	groupcache.NewGroup(groupName, 64<<20, groupcache.GetterFunc(
		func(_ context.Context, key string, dest groupcache.Sink) error {
			v, ok := values[key]
			if !ok {
				return errors.New("no such key")
			}
			return dest.SetBytes(v)
		}))
	s := &http.Server{}
	go func() { _ = s.Serve(ln) }() // ends with Close
	return self, func() { _ = s.Close() }, nil
}

// newPool makes the client's pool. All keys belong to the server. Idle
// connections are kept for as many callers as there are: http.DefaultTransport
// keeps two, and would spend its time on opening others.
func newPool(where json.RawMessage) (*groupcache.HTTPPool, func(), error) {
	var server string
	if err := json.Unmarshal(where, &server); err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{
		MaxIdleConns: 20_000, MaxIdleConnsPerHost: 20_000, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	pool := groupcache.NewHTTPPool("http://client.invalid")
	pool.Transport = func(context.Context) http.RoundTripper { return transport }
	pool.Set(server)
	return pool, transport.CloseIdleConnections, nil
}

// dialHTTPGetter gets through what the pool picks for a key, and leaves the
// group's own work on the client out.
func dialHTTPGetter(_ context.Context, _ bool, where json.RawMessage) (getFunc, []string, func(), error) {
	pool, end, err := newPool(where)
	if err != nil {
		return nil, nil, nil, err
	}
	group := groupName
	get := func(ctx context.Context, key string) ([]byte, error) {
		peer, ok := pool.PickPeer(key)
		if !ok {
			return nil, errors.New("the key is not remote")
		}
		var out pb.GetResponse
		err := peer.Get(ctx, &pb.GetRequest{Group: &group, Key: &key}, &out)
		return out.GetValue(), err
	}
	return get, makeKeys(0, keyCount), end, nil
}

// dialGroup gets as an application does. A group of no bytes keeps nothing, so
// every get is remote.
func dialGroup(_ context.Context, _ bool, where json.RawMessage) (getFunc, []string, func(), error) {
	_, end, err := newPool(where)
	if err != nil {
		return nil, nil, nil, err
	}
	group := groupcache.NewGroup(groupName, 0, groupcache.GetterFunc(
		func(context.Context, string, groupcache.Sink) error { return errors.New("the key is not remote") }))
	get := func(ctx context.Context, key string) ([]byte, error) {
		var v []byte
		err := group.Get(ctx, key, groupcache.AllocatingByteSliceSink(&v))
		return v, err
	}
	return get, makeKeys(0, keyCount), end, nil
}

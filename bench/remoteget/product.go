package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/peercache/peercache/bench/internal/proc"
)

// product is one way to get a value from another process.
type product struct {
	name string
	tls  bool
	// serve opens the server's end and returns what the client needs to know.
	serve func(tls bool) (where any, end func(), err error)
	// dial opens the client's end. The keys are those to ask for.
	dial func(ctx context.Context, tls bool, where json.RawMessage) (get getFunc, keys []string, end func(), err error)
}

// getFunc gets one value. It is called by many goroutines.
type getFunc func(ctx context.Context, key string) ([]byte, error)

// base is the product that the others are compared with.
const base = "groupcache HTTPGetter"

func products() []product {
	return []product{
		{"wire", false, serveWire, dialWire},
		{base, false, serveGroupcache, dialHTTPGetter},
		{"wire", true, serveWire, dialWire},
		{"groupcache Group.Get", false, serveGroupcache, dialGroup},
		{"peercache cluster.Get", false, serveCluster, dialCluster},
		{"peercache cluster.Get", true, serveCluster, dialCluster},
	}
}

func (p product) id() string { return fmt.Sprintf("%s tls=%v", p.name, p.tls) }

// roles are the servers and clients of all products.
func roles() map[string]proc.Role {
	m := make(map[string]proc.Role)
	for _, p := range products() {
		m["serve "+p.id()] = func() (map[string]proc.Handler, func()) { return serverRole(p) }
		m["get "+p.id()] = func() (map[string]proc.Handler, func()) { return clientRole(p) }
	}
	return m
}

func serverRole(p product) (map[string]proc.Handler, func()) {
	var end func()
	open := func(struct{}) (where any, err error) {
		where, end, err = p.serve(p.tls)
		return where, err
	}
	return map[string]proc.Handler{"open": proc.Handle(open)}, func() {
		if end != nil {
			end()
		}
	}
}

func clientRole(p product) (map[string]proc.Handler, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var l loop
	var end func()
	open := func(where json.RawMessage) (_ any, err error) {
		l.get, l.keys, end, err = p.dial(ctx, p.tls, where)
		return nil, err
	}
	handlers := map[string]proc.Handler{
		"open": proc.Handle(open),
		"run":  proc.Handle(func(t task) (outcome, error) { return l.run(ctx, t) }),
	}
	return handlers, func() {
		cancel()
		if end != nil {
			end()
		}
	}
}

// makeKeys makes keys of keyLen bytes from a number on.
func makeKeys(from, count int) []string {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("%0*x", keyLen, mix(uint64(from+i)))
	}
	return keys
}

// mix is MurmurHash3's 64-bit finalizer.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// makeValue makes a key's value, which begins with the key.
func makeValue(key string) []byte {
	v := make([]byte, valueLen)
	for i := copy(v, key); i < len(v); i++ {
		v[i] = byte(i)
	}
	return v
}

// secret is what both ends know where there is TLS.
func secret(tls bool) string {
	if tls {
		return "a secret for measuring only"
	}
	return ""
}

package product

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	groupcache "github.com/groupcache/groupcache-go/v3"
	"github.com/groupcache/groupcache-go/v3/transport"
	"github.com/groupcache/groupcache-go/v3/transport/peer"

	"github.com/peercache/peercache/bench/internal/load"
)

// openGroupcacheGo starts a daemon whose peers are all others. What is not there
// is loaded. Where nothing may be kept of what others own, a client's group has
// eight bytes: its cache for that is then one byte (0 would be no limit).
func openGroupcacheGo(ctx context.Context, p Place, _ []json.RawMessage) (*Part, error) {
	quiet := slog.New(slog.DiscardHandler)
	d, err := groupcache.ListenAndServe(ctx, "127.0.0.1:0", groupcache.Options{
		Logger: quiet,
		Transport: transport.NewHttpTransport(transport.HttpTransportOptions{
			Client: &http.Client{Transport: tuned(p.Callers)}, Logger: quiet,
		}),
	})
	if err != nil {
		return nil, err
	}
	size := int64(memory)
	if !p.Near && !p.Serve {
		size = 8
	}
	loader, err := loaderOf(p)
	if err != nil {
		return nil, err
	}
	group, err := d.NewGroup(groupName, size, groupcache.GetterFunc(
		func(_ context.Context, key string, dest transport.Sink) error {
			v, err := loader(key)
			if err != nil {
				return err
			}
			return dest.SetBytes(v, time.Time{})
		}))
	if err != nil {
		return nil, err
	}
	shut := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = d.Shutdown(ctx)
	}
	return &Part{
		Where: d.ListenAddress(),
		Meet: func(ctx context.Context, all []json.RawMessage) error {
			var peers []peer.Info
			for _, raw := range all {
				addr, err := decode[string](raw)
				if err != nil {
					return err
				}
				peers = append(peers, peer.Info{Address: addr, IsSelf: addr == d.ListenAddress()})
			}
			return d.SetPeers(ctx, peers)
		},
		Get: func(ctx context.Context, key string) ([]byte, error) {
			var v []byte
			err := group.Get(ctx, key, transport.AllocatingByteSliceSink(&v))
			return v, err
		},
		Set: func(ctx context.Context, key string, v []byte) error {
			return group.Set(ctx, key, v, time.Time{}, false)
		},
		Delete: group.Remove,
		Remote: func(key string) bool { _, remote := d.GetInstance().PickPeer(key); return remote },
		Load:   true,
		Close:  shut,
	}, nil
}

// loaderOf returns what makes the value of a key.
func loaderOf(p Place) (func(key string) ([]byte, error), error) {
	if p.Sessions == 0 {
		return func(key string) ([]byte, error) { return load.Value(key), nil }, nil
	}
	shop, err := load.NewShop(load.Samples)
	if err != nil {
		return nil, err
	}
	numbers := make(map[string]int, p.Sessions)
	for i := range p.Sessions {
		numbers[load.Key(i)] = i
	}
	return func(key string) ([]byte, error) { return json.Marshal(shop.Session(numbers[key])) }, nil
}

package session

import (
	"context"
	"errors"
	"time"

	"github.com/peercache/peercache/cluster"
)

// New opens the session cache on a node. The node stays the caller's: it has
// to Leave it.
func New(node *cluster.Node, o Options) (*Cluster, error) {
	o = o.withDefaults()
	c, err := cluster.NewCache(node, o.Name, cluster.Options[CachedSession]{TTL: o.TTL, Codec: codec{}})
	if err != nil {
		return nil, public(err)
	}
	return over(cached{c}, o), nil
}

// codec keeps sessions as the JSON that the shop wrote.
type codec struct{}

func (codec) Append(dst []byte, s CachedSession) ([]byte, error) { return s.appendJSON(dst) }

func (codec) Decode(b []byte) (s CachedSession, err error) {
	err = s.UnmarshalJSON(b)
	return s, err
}

// cached is the store in a cluster's cache.
type cached struct{ c *cluster.Cache[CachedSession] }

func (k cached) lookup(ctx context.Context, token string) (CachedSession, string, error) {
	s, from, err := k.c.Lookup(ctx, token)
	if errors.Is(err, cluster.ErrNotFound) {
		err = ErrNotFound
	}
	return s, from.String(), err
}

func (k cached) set(ctx context.Context, s CachedSession, ttl time.Duration) error {
	if ttl == forEver {
		return k.c.Set(ctx, s.Token, s)
	}
	return k.c.SetTTL(ctx, s.Token, s, ttl)
}

func (k cached) delete(ctx context.Context, token string) error { return k.c.Delete(ctx, token) }

func (k cached) clear(ctx context.Context) error { return k.c.Clear(ctx) }

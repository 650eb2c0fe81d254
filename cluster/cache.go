package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peercache/peercache/cache"
)

// DefaultLoadTimeout bounds one run of Options.Load.
const DefaultLoadTimeout = 10 * time.Second

// Options say how a Cache treats its values. They must be the same on every
// node that opens the cache.
type Options[V any] struct {
	// TTL is how long an entry lives. Default: for ever, until it is evicted.
	TTL time.Duration
	// Codec encodes values. Default: encoding/json; []byte and string are
	// taken as they are.
	Codec Codec[V]
	// Load, if not nil, gets what the cache does not have. It is called once
	// per key at the key's owner, however many callers on however many nodes
	// wait for it. It may return ErrNotFound. A panic in it becomes an error
	// for all who wait.
	Load func(ctx context.Context, key string) (V, error)
	// LoadTimeout bounds a run of Load by its context, which Load must obey: Close
	// waits for it. Default 10 s. Callers wait no longer than for any other call.
	LoadTimeout time.Duration
	// NegativeTTL is how long it is remembered that Load returned ErrNotFound.
	// Default: not at all.
	NegativeTTL time.Duration
	// Clone, if not nil, makes a copy of a value for each caller of Get.
	// Without it, what Get returns is shared by all callers on the node, and is
	// to be read only.
	Clone func(V) V
}

// Cache is a named cache of values of one type, the same on all nodes. Its
// methods may be called from any goroutine.
type Cache[V any] struct {
	n      *Node
	space  *space
	ttl    time.Duration
	codec  Codec[V]
	decode func([]byte) V // where V needs no decoding
	encode func(V) []byte
	clone  func(V) V
}

// NewCache opens the cache of that name on a node. Opening it again with other
// Options replaces its Load. Names are 1 to 255 bytes; all nodes have at most
// 4,096 caches together.
func NewCache[V any](n *Node, name string, o Options[V]) (*Cache[V], error) {
	switch {
	case n == nil:
		return nil, errors.New("cluster: NewCache needs a node")
	case o.TTL < 0:
		return nil, fmt.Errorf("cluster: TTL is %v: it may not be negative", o.TTL)
	case o.NegativeTTL < 0:
		return nil, fmt.Errorf("cluster: NegativeTTL is %v: it may not be negative", o.NegativeTTL)
	case o.LoadTimeout < 0:
		return nil, fmt.Errorf("cluster: LoadTimeout is %v: it may not be negative", o.LoadTimeout)
	}
	sp, err := n.caches.space([]byte(name))
	if err != nil {
		return nil, err
	}
	c := &Cache[V]{n: n, space: sp, ttl: o.TTL, codec: o.Codec, clone: o.Clone}
	if c.codec == nil {
		c.codec = jsonCodec[V]{}
		c.decode, c.encode = passThrough[V]()
	}
	if o.Load != nil {
		l := &loader{ttl: min(o.TTL, maxTTL), negative: min(o.NegativeTTL, maxTTL), timeout: o.LoadTimeout, slots: make(chan struct{}, maxLoaders)}
		if l.timeout == 0 {
			l.timeout = DefaultLoadTimeout
		}
		l.load = func(ctx context.Context, key string) ([]byte, error) {
			v, err := o.Load(ctx, key)
			if err != nil {
				return nil, err
			}
			return c.bytes(v)
		}
		sp.load.Store(l)
	}
	return c, nil
}

// Name returns the cache's name.
func (c *Cache[V]) Name() string { return c.space.name }

// Get returns the value of a key, or ErrNotFound.
func (c *Cache[V]) Get(ctx context.Context, key string) (V, error) {
	hash := c.space.hasher.hash(key)
	if c.decode != nil && c.clone == nil && !c.n.shut.Load() {
		var hit cache.Hit
		if c.n.local(c.space, hash, key, &hit) {
			return c.decode(hit.Value), nil
		}
		v, _, err := c.fetch(ctx, hash, key)
		return v, err
	}
	v, _, err := c.lookup(ctx, hash, key)
	return v, err
}

// Lookup is Get that also says where the value came from.
func (c *Cache[V]) Lookup(ctx context.Context, key string) (V, Source, error) {
	return c.lookup(ctx, c.space.hasher.hash(key), key)
}

// lookup looks into this node's memory, and further if it is not there.
func (c *Cache[V]) lookup(ctx context.Context, hash uint64, key string) (V, Source, error) {
	var hit cache.Hit
	if c.n.check(ctx, key) != nil || !c.n.local(c.space, hash, key, &hit) {
		return c.fetch(ctx, hash, key)
	}
	f := foundOf(&hit)
	v, err := c.value(hash, key, &f)
	return v, f.source, err
}

// fetch gets a value from the slot, here or at another node.
func (c *Cache[V]) fetch(ctx context.Context, hash uint64, key string) (V, Source, error) {
	var zero V
	if err := c.n.check(ctx, key); err != nil {
		return zero, Source{}, err
	}
	f, err := c.n.read(ctx, c.space, hash, key)
	if err != nil {
		return zero, Source{}, err
	}
	if c.decode == nil && f.source.kind == sourcePeer {
		f.decoded = c.n.store.Decoded(cache.Near, hash, c.space.number, key, f.value)
	}
	v, err := c.value(hash, key, &f)
	return v, f.source, err
}

// value decodes what was found, and keeps the decoded form beside the bytes
// where they are kept.
func (c *Cache[V]) value(hash uint64, key string, f *found) (V, error) {
	var v V
	switch d, ok := f.decoded.(V); {
	case c.decode != nil:
		v = c.decode(f.value)
	case ok:
		v = d
	default:
		var err error
		if v, err = c.codec.Decode(f.value); err != nil {
			return v, err
		}
		c.n.store.SetDecoded(cache.Ref{Hash: hash, Cache: c.space.number, Key: key}, f.version, v)
	}
	if c.clone != nil {
		v = c.clone(v)
	}
	return v, nil
}

func (c *Cache[V]) bytes(v V) ([]byte, error) {
	if c.encode != nil {
		return c.encode(v), nil
	}
	return c.codec.Append(nil, v)
}

// Set stores a value for the cache's TTL. Once it has returned nil, no node
// serves an older value, and every backup has it. If it returns an error other than ErrTooLarge or
// ErrOverloaded, it may still take effect later.
func (c *Cache[V]) Set(ctx context.Context, key string, v V) error {
	return c.set(ctx, key, v, c.ttl)
}

// SetTTL is Set with another time to live, which must be above zero.
func (c *Cache[V]) SetTTL(ctx context.Context, key string, v V, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("cluster: a time to live of %v: it must be above zero", ttl)
	}
	return c.set(ctx, key, v, ttl)
}

// maxTTL is as good as for ever, and can be added to any time.
const maxTTL = 100 * 365 * 24 * time.Hour

func (c *Cache[V]) set(ctx context.Context, key string, v V, ttl time.Duration) error {
	if err := c.n.check(ctx, key); err != nil {
		return err
	}
	b, err := c.bytes(v)
	if err != nil {
		return err
	}
	if len(b) > c.n.cfg.MaxValue {
		return tooLarge("a value", len(b), c.n.cfg.MaxValue)
	}
	return c.n.write(ctx, &op{kind: kindSet, space: c.space, key: key, hash: c.space.hasher.hash(key), value: b, ttl: min(ttl, maxTTL)})
}

// Delete removes keys. Once it has returned nil, no node serves a value that
// they had. All keys are tried; a *PartialError names the members that have
// not confirmed yet.
func (c *Cache[V]) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := c.n.check(ctx, key); err != nil {
			return err
		}
	}
	return c.n.deleteAll(ctx, c.space, keys)
}

// Clear removes every entry of the cache. Once it has returned nil, no node
// serves a value that was set before it was called.
func (c *Cache[V]) Clear(ctx context.Context) error {
	return c.n.clear(ctx, c.space)
}

// GetMany returns the values of those keys that are there, with one request to
// each owner. An error of a key (other than ErrNotFound) is returned beside
// what was found.
func (c *Cache[V]) GetMany(ctx context.Context, keys []string) (map[string]V, error) {
	for _, key := range keys {
		if err := c.n.check(ctx, key); err != nil {
			return nil, err
		}
	}
	got, errs := c.n.readMany(ctx, c.space, keys)
	values := make(map[string]V, len(keys))
	var failed []error
	for i, key := range keys {
		err := errs[i]
		if err == nil {
			var v V
			if v, err = c.value(c.space.hasher.hash(key), key, &got[i]); err == nil {
				values[key] = v
			}
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			failed = append(failed, fmt.Errorf("key %q: %w", key, err))
		}
	}
	return values, errors.Join(failed...)
}

// Stats returns what this node has counted for the cache.
func (c *Cache[V]) Stats() CacheStats { return c.space.stats() }

package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// The defaults of Options.
const (
	DefaultName = "vendure-session-cache"
	DefaultTTL  = 24 * time.Hour
)

// Options say how a Cluster keeps sessions. They must be the same on every
// node, except for Logger and Now.
type Options struct {
	// Name keeps the sessions apart from the node's other caches, and from
	// other shops' sessions. Default: DefaultName.
	Name string
	// TTL is how long a session is kept after it was set, if it does not end
	// before. Default: DefaultTTL; negative: for ever, until it is evicted.
	TTL time.Duration
	// Logger gets the failures that Get and Set do not return. Default:
	// slog.Default.
	Logger *slog.Logger
	// Now is the clock that Expires is compared with. Default: time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	o.TTL = max(o.TTL, forEver)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Cluster is a Strategy in the memory of all the nodes of a cluster. Besides
// the four calls it has Store and Lookup, which are Set and Get with nothing
// swallowed.
type Cluster struct {
	store store
	ttl   time.Duration
	log   *slog.Logger
	now   func() time.Time
}

var _ Strategy = (*Cluster)(nil)

// A store is what a Cluster needs of a cluster's cache.
type store interface {
	// lookup says ErrNotFound when there is none.
	lookup(ctx context.Context, token string) (s CachedSession, from string, err error)
	set(ctx context.Context, s CachedSession, ttl time.Duration) error
	delete(ctx context.Context, token string) error
	clear(ctx context.Context) error
}

var errForeign = errors.New("session: the entry is not this token's session")

// forEver is the time to live, for a store, of what has none.
const forEver = 0

// over returns the Cluster over a store. Options have their defaults.
func over(st store, o Options) *Cluster {
	return &Cluster{store: st, ttl: o.TTL, log: o.Logger, now: o.Now}
}

// Set keeps the session in the place of one with the same token. Once it has
// returned, no node serves the older one, unless a failure was logged.
func (c *Cluster) Set(ctx context.Context, s CachedSession) error {
	err := c.Store(ctx, s)
	if errors.Is(err, ErrNoToken) || errors.Is(err, errNotWritten) {
		return err
	}
	c.swallow(ctx, "set", err)
	return nil
}

// Store is Set that returns a failure of the cache, too.
func (c *Cluster) Store(ctx context.Context, s CachedSession) error {
	if s.Token == "" {
		return ErrNoToken
	}
	ttl := c.ttl
	if !s.Expires.IsZero() {
		left := s.Expires.Sub(c.now())
		if left <= 0 {
			// Nobody could find it, nor may anybody find the older one.
			return c.Delete(ctx, s.Token)
		}
		if ttl == forEver || left < ttl {
			ttl = left
		}
	}
	return wrap("set", c.store.set(ctx, s, ttl))
}

// Get returns the session with this token, to be read only.
func (c *Cluster) Get(ctx context.Context, token string) (CachedSession, error) {
	s, _, err := c.Lookup(ctx, token)
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoToken) {
		return s, err
	}
	c.swallow(ctx, "get", err)
	return CachedSession{}, ErrNotFound
}

// Lookup is Get that returns a failure of the cache, too, and that says where
// the session came from: "owned" or "near" is this node's memory, "peer NAME"
// another's.
func (c *Cluster) Lookup(ctx context.Context, token string) (s CachedSession, from string, err error) {
	if token == "" {
		return CachedSession{}, "", ErrNoToken
	}
	s, from, err = c.store.lookup(ctx, token)
	switch {
	case errors.Is(err, ErrNotFound):
		return CachedSession{}, "", ErrNotFound
	case err != nil:
		return CachedSession{}, "", wrap("get", err)
	case s.Token != token: // somebody else writes into this cache
		return CachedSession{}, "", errForeign
	case s.Expired(c.now()):
		return CachedSession{}, "", ErrNotFound
	}
	return s, from, nil
}

// Delete forgets the session with this token. Once it has returned nil, no node
// serves it; a *cluster.PartialError names the nodes that may still do so.
func (c *Cluster) Delete(ctx context.Context, token string) error {
	if token == "" {
		return ErrNoToken
	}
	return wrap("delete", c.store.delete(ctx, token))
}

// Clear forgets all sessions. Once it has returned nil, no node serves one that
// was set before; a *cluster.PartialError names the nodes that may still do so.
func (c *Cluster) Clear(ctx context.Context) error {
	return wrap("clear", c.store.clear(ctx))
}

// swallow logs a failure that its caller goes on without. A caller that gave up
// is no failure of the cache.
func (c *Cluster) swallow(ctx context.Context, call string, err error) {
	if err == nil {
		return
	}
	level := slog.LevelWarn
	if errors.Is(ctx.Err(), context.Canceled) {
		level = slog.LevelDebug
	}
	c.log.Log(ctx, level, "the session cache failed; the request goes on without it",
		"call", call, "error", err)
}

func wrap(call string, err error) error {
	if err == nil || errors.Is(err, errNotWritten) {
		return err
	}
	return fmt.Errorf("session: %s: %w", call, err)
}

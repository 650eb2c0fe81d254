package product

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/peercache/peercache/bench/internal/load"
	"github.com/peercache/peercache/cluster"
)

const (
	cacheName = "bench"
	readyFor  = 30 * time.Second
	memory    = 1 << 30 // of each product's processes, so that nothing is given up
)

// openPeercache starts a node, as an application does. It joins the first.
func openPeercache(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	cfg := cluster.Config{
		Name: fmt.Sprintf("n%d", p.Index), Secret: secret(p.TLS), Memory: memory, NearTTL: -1, Backups: p.Backups,
	}
	if p.Near {
		cfg.NearTTL = 0
	}
	if p.Backups == 0 {
		cfg.Backups = -1
	}
	if len(others) > 0 {
		first, err := decode[string](others[0])
		if err != nil {
			return nil, err
		}
		cfg.Join = []string{first}
	}
	n, err := cluster.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	raw, err := cluster.NewCache(n, cacheName, cluster.Options[[]byte]{})
	if err != nil {
		_ = n.Close()
		return nil, err
	}
	typed, err := cluster.NewCache(n, "sessions", cluster.Options[*load.Session]{})
	if err != nil {
		_ = n.Close()
		return nil, err
	}
	if err := active(ctx, n); err != nil {
		_ = n.Close()
		return nil, err
	}
	return &Part{
		Where: n.GossipAddr(),
		Meet:  func(ctx context.Context, all []json.RawMessage) error { return serving(ctx, n, len(all)) },
		Get: func(ctx context.Context, key string) ([]byte, error) {
			v, err := raw.Get(ctx, key)
			return v, missing(err, cluster.ErrNotFound)
		},
		Set:    raw.Set,
		Delete: func(ctx context.Context, key string) error { return raw.Delete(ctx, key) },
		GetMany: func(ctx context.Context, keys []string) (int, error) {
			found, err := raw.GetMany(ctx, keys)
			return len(found), err
		},
		Sessions: &Sessions{
			Get: func(ctx context.Context, token string) (*load.Session, error) {
				v, err := typed.Get(ctx, token)
				return v, missing(err, cluster.ErrNotFound)
			},
			Set:    func(ctx context.Context, s *load.Session) error { return typed.Set(ctx, s.Token, s) },
			Delete: func(ctx context.Context, token string) error { return typed.Delete(ctx, token) },
		},
		Remote: func(key string) bool { return n.Where(cacheName, key).Owner != n.Name() },
		Close:  func() { _ = n.Close() },
	}, nil
}

func active(ctx context.Context, n *cluster.Node) error {
	t := time.NewTimer(readyFor)
	defer t.Stop()
	select {
	case <-n.Active():
		return nil
	case <-t.C:
	case <-ctx.Done():
	}
	return fmt.Errorf("the node is not active: %w", n.Ready())
}

// serving waits until a node knows that many members and serves all its slots.
func serving(ctx context.Context, n *cluster.Node, members int) error {
	return poll(ctx, func() error {
		s := n.Stats()
		if s.Members != members || s.SlotsActive != s.SlotsOwned || s.SlotsOwned == 0 {
			return fmt.Errorf("%d of %d members, %d of %d slots served", s.Members, members, s.SlotsActive, s.SlotsOwned)
		}
		return nil
	})
}

// poll asks until there is no error any more.
func poll(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, readyFor)
	defer cancel()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", readyFor, err)
		}
	}
}

// missing makes ErrMissing of a product's own error.
func missing(err, own error) error {
	if err != nil && errors.Is(err, own) {
		return ErrMissing
	}
	return err
}

// Backups tells whether a node can be started with a backup of each entry.
func Backups(ctx context.Context) error {
	n, err := cluster.Start(ctx, cluster.Config{Backups: 1})
	if err != nil {
		return err
	}
	return n.Close()
}

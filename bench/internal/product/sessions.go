package product

import (
	"context"
	"encoding/json"

	"github.com/peercache/peercache/bench/internal/load"
)

// Sessions are calls with values that the application can use as they are.
type Sessions struct {
	Get    func(ctx context.Context, token string) (*load.Session, error)
	Set    func(ctx context.Context, s *load.Session) error
	Delete func(ctx context.Context, token string) error
}

// Typed returns the part's sessions: its own, or those that are made of its
// bytes as an application would do it.
func (p *Part) Typed() *Sessions {
	if p.Sessions != nil {
		return p.Sessions
	}
	return &Sessions{
		Get: func(ctx context.Context, token string) (*load.Session, error) {
			b, err := p.Get(ctx, token)
			if err != nil {
				return nil, err
			}
			var s load.Session
			if err := json.Unmarshal(b, &s); err != nil {
				return nil, err
			}
			return &s, nil
		},
		Set: func(ctx context.Context, s *load.Session) error {
			b, err := json.Marshal(s)
			if err != nil {
				return err
			}
			return p.Set(ctx, s.Token, b)
		},
		Delete: p.Delete,
	}
}

package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// DefaultSize is how many sessions the shop's own in-memory cache holds.
const DefaultSize = 1000

// InMemory is a Strategy in the memory of this process alone. When it is full,
// the session that was not used for the longest time makes room. It does not
// fail.
type InMemory struct {
	now func() time.Time

	mu       sync.Mutex
	sessions *simplelru.LRU[string, CachedSession] // guarded by mu
}

var _ Strategy = (*InMemory)(nil)

// NewInMemory returns an InMemory that holds up to size sessions, at least
// one.
func NewInMemory(size int) (*InMemory, error) {
	if size < 1 {
		return nil, fmt.Errorf("session: a size of %d holds no session: it must be at least 1", size)
	}
	lru, err := simplelru.NewLRU[string, CachedSession](size, nil)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return &InMemory{now: time.Now, sessions: lru}, nil
}

// Set keeps a copy of the session.
func (m *InMemory) Set(_ context.Context, s CachedSession) error {
	if s.Token == "" {
		return ErrNoToken
	}
	s = s.Clone()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions.Add(s.Token, s)
	return nil
}

// Get returns the session with this token, to be read only.
func (m *InMemory) Get(_ context.Context, token string) (CachedSession, error) {
	if token == "" {
		return CachedSession{}, ErrNoToken
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions.Get(token)
	if ok && s.Expired(now) {
		m.sessions.Remove(token)
		ok = false
	}
	if !ok {
		return CachedSession{}, ErrNotFound
	}
	return s, nil
}

// Delete forgets the session with this token.
func (m *InMemory) Delete(_ context.Context, token string) error {
	if token == "" {
		return ErrNoToken
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions.Remove(token)
	return nil
}

// Clear forgets all sessions.
func (m *InMemory) Clear(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions.Purge()
	return nil
}

package session

import (
	"context"
	"errors"
)

// A Strategy keeps sessions by their token. Its methods may be called at any
// time from any goroutine.
type Strategy interface {
	// Set keeps a copy of the session in the place of one with the same token.
	// The error is for a session that makes no sense: one without a token, or
	// with a number or a date that JSON has no word for. That the cache failed
	// is logged.
	Set(ctx context.Context, s CachedSession) error

	// Get returns the session with this token. It is shared: read it only. The
	// error is ErrNotFound, also when the cache failed, which is logged; or
	// ErrNoToken.
	Get(ctx context.Context, token string) (CachedSession, error)

	// Delete forgets the session with this token. It is no error that there is
	// none. After any other error, it may still be found.
	Delete(ctx context.Context, token string) error

	// Clear forgets all sessions. After an error, they may still be found.
	Clear(ctx context.Context) error
}

// The errors of this package. Test for them with errors.Is.
var (
	// ErrNotFound says that the session is not in the cache, or has ended.
	ErrNotFound = errors.New("session: not found")
	// ErrNoToken says that a session, or a call, has an empty token.
	ErrNoToken = errors.New("session: the token is empty")
)

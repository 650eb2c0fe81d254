package cluster

import (
	"errors"
	"fmt"
	"strings"
)

// The errors of this package. Test for them with errors.Is; what is returned
// says more.
var (
	// ErrNotFound says that there is no such entry, as far as the cache knows.
	ErrNotFound = errors.New("cluster: not found")
	// ErrClosed says that the node has left or was closed.
	ErrClosed = errors.New("cluster: node is closed")
	// ErrTooLarge says that a key, a value or a name is over its limit.
	ErrTooLarge = errors.New("cluster: too large")
	// ErrOverloaded says that a bounded queue is full. Nothing was done.
	ErrOverloaded = errors.New("cluster: overloaded")
	// ErrUnavailable says that the owner of a key could not be reached, did not
	// become active, or did not hear from all backups, before the deadline; where
	// it was for want of time the error is a context.DeadlineExceeded too. A Set
	// or a Delete that ended so may still take effect.
	ErrUnavailable = errors.New("cluster: unavailable")
	// ErrName says that another living node has this node's name.
	ErrName = errors.New("cluster: name is taken")
	// ErrTooManyCaches says that a node has all the caches that it can.
	ErrTooManyCaches = errors.New("cluster: too many caches")
)

// PartialError says that a Delete or a Clear is not yet confirmed by all
// members, and goes on until it is. Until then what was to be removed may still
// be served: by these members for as long as their near copies live, and, so
// that nobody sees it gone and then back, by the owner of a key too.
type PartialError struct {
	Members []string // names of those that have not confirmed
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("cluster: not yet confirmed by %s", strings.Join(e.Members, ", "))
}

func tooLarge(what string, given, limit int) error {
	return fmt.Errorf("%w: %s of %d bytes is over the limit of %d", ErrTooLarge, what, given, limit)
}

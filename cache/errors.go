package cache

import (
	"errors"
	"fmt"
)

// Errors of Put. They come wrapped, with the sizes.
var (
	// ErrTooLarge: the key or the value is over its limit.
	ErrTooLarge = errors.New("cache: too large")
	// ErrFull: a near or staged copy does not fit beside what the shard owns.
	ErrFull = errors.New("cache: full")
)

func tooLarge(what string, given, limit int) error {
	return fmt.Errorf("%w: %s of %d bytes is over the limit of %d", ErrTooLarge, what, given, limit)
}

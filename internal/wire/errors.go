package wire

import (
	"context"
	"errors"
	"fmt"
)

// The errors of this package. Test for them with errors.Is; what is returned
// says more.
var (
	// ErrNotSent says that no byte of the request has left: it may be sent
	// again, here or elsewhere.
	ErrNotSent = errors.New("wire: not sent")
	// ErrBroken says that the connection ended while the call waited. Whether
	// the request was carried out is not known.
	ErrBroken = errors.New("wire: connection ended before the reply")
	// ErrOverloaded says that too much waits to be written, or too many calls
	// are under way. Nothing was sent: it is an ErrNotSent too.
	ErrOverloaded = fmt.Errorf("wire: overloaded: %w", ErrNotSent)
	// ErrTooLong says that a frame is longer than its receiver takes.
	ErrTooLong = errors.New("wire: frame is too long")
	// ErrTimeout says that no reply came in time. It is a
	// context.DeadlineExceeded too.
	ErrTimeout = fmt.Errorf("wire: no reply in time: %w", context.DeadlineExceeded)
	// ErrSilent says that nothing has come from the peer for too long, though it
	// was asked for a sign.
	ErrSilent = errors.New("wire: the peer is silent")
	// ErrVersion says that the two sides speak different major versions.
	ErrVersion = errors.New("wire: protocol versions differ")
	// ErrSecret says that the two sides do not have a secret in common.
	ErrSecret = errors.New("wire: secrets differ")
	// ErrProtocol says that the peer sent what is not in the protocol.
	ErrProtocol = errors.New("wire: not understood")
	// ErrClosed says that the connection was closed on this side.
	ErrClosed = errors.New("wire: connection closed")
)

// Codes of failures that this package sends by itself.
const (
	CodeUnknownKind byte = 240 // the request's kind is not one of Config.Kinds
	CodeTooLong     byte = 241 // the reply is longer than the asker takes
)

// RemoteError is a failure that the other side has sent in place of a reply.
type RemoteError struct {
	Code    byte
	Message string
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("wire: refused with code %d: %s", e.Code, e.Message)
}

func tooLong(given, limit int) error {
	return fmt.Errorf("%w: %d bytes, over the limit of %d", ErrTooLong, given, limit)
}

// notSent says why no byte of a request has left.
func notSent(why error) error { return fmt.Errorf("%w: %w", ErrNotSent, why) }

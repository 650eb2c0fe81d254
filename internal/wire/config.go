package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// The defaults and limits of Config.
const (
	DefaultMaxFrame         = 4 << 20
	DefaultMaxQueue         = 16 << 20
	DefaultMaxCalls         = 16 << 10
	DefaultMaxConns         = 1024
	DefaultMaxHandshakes    = 64
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultWriteTimeout     = 10 * time.Second
	DefaultMaxSilence       = 2 * time.Second
	MinMaxFrame             = 1 << 10
	MaxMaxFrame             = 1 << 30
	MaxHello                = 2 << 10 // bytes
	maxMaxCalls             = 1 << 20
)

// Kind is what a request is about; the layer above gives it its meaning.
type Kind uint8

// Version is that of the protocol of the layer above. Peers of one major
// version understand each other.
type Version struct{ Major, Minor uint8 }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Config says how to talk. Zero means the default everywhere; negative is
// refused.
type Config struct {
	// Protocol is compared with the peer's.
	Protocol Version
	// Hello is given to the peer (Conn.Peer), at most 2 KiB.
	Hello []byte
	// Kinds are those that the handler takes. Requests of others are refused
	// with CodeUnknownKind. Nil: all.
	Kinds []Kind
	// Credentials encrypt and authenticate. Nil: neither.
	Credentials *Credentials
	// Logger gets what there is to say. Nil: nothing is logged.
	Logger *slog.Logger
	// Dial makes connections. Nil: a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// MaxFrame is the longest frame that is taken from the peer, in bytes and
	// with its header, at least 1 KiB; what is sent is held to the peer's.
	// Default 4 MiB.
	MaxFrame int
	// MaxQueue is how many bytes may wait to be written on one connection; one
	// frame always may. It holds twice as much memory at most. Default 16 MiB.
	MaxQueue int
	// MaxCalls is how many calls may wait for their replies on one connection.
	// Default 16,384.
	MaxCalls int
	// MaxConns is how many connections a server keeps. Default 1024.
	MaxConns int
	// MaxHandshakes is how many connections to a server may be in their
	// handshake; a further one cuts off the oldest. Default 64.
	MaxHandshakes int
	// HandshakeTimeout bounds the handshake. Default 5 s.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long a write of at most 64 KiB may take before the
	// connection ends. Default 10 s.
	WriteTimeout time.Duration
	// MaxSilence is how long nothing may come from the peer, not even a sign that
	// it is alive, before the connection ends with ErrSilent. A quarter of it
	// later at the latest that is noticed. Default 2 s.
	MaxSilence time.Duration

	// Faults are for tests of whether tests find them.
	Faults Faults
}

// settings are a Config with its defaults, as connections use it.
type settings struct {
	Config
	known [256]bool // kinds
	log   *limitedLog
}

func newSettings(c Config) (*settings, error) {
	s := &settings{Config: c}
	ints := []struct {
		name          string
		value         *int
		standard, max int
	}{
		{"MaxFrame", &s.MaxFrame, DefaultMaxFrame, MaxMaxFrame},
		{"MaxQueue", &s.MaxQueue, DefaultMaxQueue, MaxMaxFrame},
		{"MaxCalls", &s.MaxCalls, DefaultMaxCalls, maxMaxCalls},
		{"MaxConns", &s.MaxConns, DefaultMaxConns, maxMaxCalls},
		{"MaxHandshakes", &s.MaxHandshakes, DefaultMaxHandshakes, maxMaxCalls},
	}
	for _, i := range ints {
		switch {
		case *i.value < 0:
			return nil, fmt.Errorf("wire: %s of %d is negative", i.name, *i.value)
		case *i.value > i.max:
			return nil, fmt.Errorf("wire: %s of %d is over the limit of %d", i.name, *i.value, i.max)
		case *i.value == 0:
			*i.value = i.standard
		}
	}
	if s.MaxFrame < MinMaxFrame {
		return nil, fmt.Errorf("wire: MaxFrame of %d is below %d", s.MaxFrame, MinMaxFrame)
	}
	if len(s.Hello) > MaxHello {
		return nil, fmt.Errorf("wire: Hello of %d bytes is over the limit of %d", len(s.Hello), MaxHello)
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
	}{
		{"HandshakeTimeout", &s.HandshakeTimeout, DefaultHandshakeTimeout},
		{"WriteTimeout", &s.WriteTimeout, DefaultWriteTimeout},
		{"MaxSilence", &s.MaxSilence, DefaultMaxSilence},
	} {
		switch {
		case *d.value < 0:
			return nil, fmt.Errorf("wire: %s of %v is negative", d.name, *d.value)
		case *d.value == 0:
			*d.value = d.standard
		}
	}
	for k := range s.known {
		s.known[k] = c.Kinds == nil
	}
	for _, k := range c.Kinds {
		s.known[k] = true
	}
	if s.Dial == nil {
		s.Dial = new(net.Dialer).DialContext
	}
	s.log = newLimitedLog(c.Logger)
	return s, nil
}

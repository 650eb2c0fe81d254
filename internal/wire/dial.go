package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Dial connects to a server, and makes the handshake, within ctx and
// Config.HandshakeTimeout. The handler, which may be nil, takes what the other
// side asks; it may be called before Dial returns. The connection is to be
// closed.
//
// Errors: those of the network, ErrVersion, ErrSecret, ErrOverloaded if the
// server has too many connections, ErrProtocol if it is none of ours.
func Dial(ctx context.Context, addr string, cfg Config, handler Handler) (*Conn, error) {
	set, err := newSettings(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, set.HandshakeTimeout)
	defer cancel()
	nc, err := set.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	until, _ := ctx.Deadline()
	cut := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) }) // ends at once
	keepAlive(nc)
	e, err := shake(nc, set, until, nil)
	if !cut() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if ctx.Err() == nil {
			parting(nc, err)
		}
		_ = nc.Close()
		if errors.Is(err, ErrVersion) || errors.Is(err, ErrSecret) {
			set.log.warn(aboutPeers, "wire: cannot talk to a peer", "addr", addr, "err", err)
		}
		cause := ctx.Err()
		if cause == nil && errors.Is(err, os.ErrDeadlineExceeded) {
			cause = context.DeadlineExceeded // the socket's deadline came first
		}
		if cause != nil {
			return nil, fmt.Errorf("wire: handshake with %s: %w: %w", addr, cause, err)
		}
		return nil, fmt.Errorf("wire: handshake with %s: %w", addr, err)
	}
	c := newConn(set, handler, e)
	go c.run() // ends with the connection
	return c, nil
}

// keepAlive finds out that a silent peer's host is gone.
func keepAlive(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{ // without it writes find out
			Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4,
		})
	}
}

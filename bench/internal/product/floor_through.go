package product

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"

	"github.com/peercache/peercache/bench/internal/load"
)

// throughOne is where a server answers by itself, and where after all those before it.
type throughOne struct {
	Alone   json.RawMessage `json:"alone"`
	Through json.RawMessage `json:"through"`
}

// The floor through one is the least that a call costs which has an owner who has to hear
// from all: the client asks the last server, that asks all other servers at once, and
// answers when each has. The client's own process is not asked, as in a cluster it is.
func openFloorThrough(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	var alone []json.RawMessage
	var last throughOne
	for _, o := range others {
		var err error
		if last, err = decode[throughOne](o); err != nil {
			return nil, err
		}
		alone = append(alone, last.Alone)
	}
	if !p.Serve {
		return openFloor(ctx, p, []json.RawMessage{last.Through})
	}
	server, err := serveFloor(p.TLS)
	if err != nil {
		return nil, err
	}
	where := throughOne{}
	if where.Alone, err = json.Marshal(server.Where); err != nil {
		return nil, err
	}
	server.Where = &where
	if len(others) == 0 {
		return server, nil
	}
	client, err := openFloor(ctx, Place{TLS: p.TLS}, alone)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go accept(ln, func(conn net.Conn) { _ = passOn(ctx, conn, client.Get) })
	if where.Through, err = json.Marshal(ln.Addr().String()); err != nil {
		return nil, err
	}
	return &Part{Where: &where, Close: func() { _ = ln.Close(); client.Close(); server.Close() }}, nil
}

// passOn answers requests with what all others have answered. One that comes while
// another waits does not wait for that.
func passOn(ctx context.Context, conn net.Conn, get func(context.Context, string) ([]byte, error)) error {
	in := bufio.NewReaderSize(conn, floorBuffer)
	out := combiner{conn: conn}
	var head [floorHead]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		key := make([]byte, min(binary.LittleEndian.Uint32(head[:]), load.KeyLen))
		if _, err := io.ReadFull(in, key); err != nil {
			return err
		}
		number := binary.LittleEndian.Uint32(head[4:])
		go func() { // ends when all have answered, or a connection has ended
			v, err := get(ctx, string(key))
			if err == nil {
				err = out.send(number, v)
			}
			if err != nil {
				_ = conn.Close()
			}
		}()
	}
}

package product

import (
	"context"
	"encoding/json"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// openMemcached is a server with one thread for the one processor that it has,
// and a client that keeps a connection for each caller.
func openMemcached(_ context.Context, p Place, others []json.RawMessage) (*Part, error) {
	if p.Serve {
		return serveMemcached(p)
	}
	addr, err := decode[string](others[0])
	if err != nil {
		return nil, err
	}
	c := memcache.New(addr)
	c.MaxIdleConns, c.Timeout = max(p.Callers, 2), 5*time.Second
	if err := c.Ping(); err != nil {
		return nil, err
	}
	return &Part{
		Get: func(_ context.Context, key string) ([]byte, error) {
			i, err := c.Get(key)
			if err != nil {
				return nil, missing(err, memcache.ErrCacheMiss)
			}
			return i.Value, nil
		},
		Set:    func(_ context.Context, key string, v []byte) error { return c.Set(&memcache.Item{Key: key, Value: v}) },
		Delete: func(_ context.Context, key string) error { return missing(c.Delete(key), memcache.ErrCacheMiss) },
		GetMany: func(_ context.Context, keys []string) (int, error) {
			found, err := c.GetMulti(keys)
			return len(found), err
		},
		Close: func() { _ = c.Close() },
	}, nil
}

func serveMemcached(p Place) (*Part, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-l", "127.0.0.1", "-p", strconv.Itoa(ports[0]), "-U", "0", "-t", "1",
		"-m", strconv.Itoa(memory >> 20), "-c", strconv.Itoa(2*p.Callers + 64),
	}
	if os.Getuid() == 0 { // it does not run as root without being told to
		if u, err := user.Current(); err == nil {
			args = append(args, "-u", u.Username)
		}
	}
	prog, err := startProgram(ports[0], memcachedProg, args...)
	if err != nil {
		return nil, err
	}
	return &Part{Where: prog.addr, Usage: prog.usage, Close: prog.stop}, nil
}

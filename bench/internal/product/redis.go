package product

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// waitFor is how long a set waits for the replica. It fails where none has
// answered.
const waitFor = time.Second

// serveRedis starts a server that writes nothing to the disk. The second one is
// a replica of the first, and ready when it is in step.
func serveRedis(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--port", strconv.Itoa(ports[0]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb",
	}
	if p.Index > 0 {
		first, err := decode[string](others[0])
		if err != nil {
			return nil, err
		}
		host, port, err := net.SplitHostPort(first)
		if err != nil {
			return nil, err
		}
		args = append(args, "--replicaof", host+" "+port)
	}
	prog, err := startProgram(ports[0], redisProgram, args...)
	if err != nil {
		return nil, err
	}
	part := &Part{Where: prog.addr, Usage: prog.usage, Close: prog.stop}
	if p.Index > 0 {
		c := redis.NewClient(&redis.Options{Addr: prog.addr, PoolSize: 1})
		defer func() { _ = c.Close() }()
		err := poll(ctx, func() error {
			info, err := c.Info(ctx, "replication").Result()
			if err == nil && !strings.Contains(info, "master_link_status:up") {
				err = errors.New("the replica is not in step")
			}
			return err
		})
		if err != nil {
			prog.stop()
			return nil, err
		}
	}
	return part, nil
}

func openRueidis(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	if p.Serve {
		return serveRedis(ctx, p, others)
	}
	addr, err := decode[string](others[0])
	if err != nil {
		return nil, err
	}
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true, BlockingPoolSize: max(p.Callers, 1),
	})
	if err != nil {
		return nil, err
	}
	part := &Part{
		Get: func(ctx context.Context, key string) ([]byte, error) {
			v, err := c.Do(ctx, c.B().Get().Key(key).Build()).AsBytes()
			if rueidis.IsRedisNil(err) {
				return nil, ErrMissing
			}
			return v, err
		},
		Set: func(ctx context.Context, key string, v []byte) error {
			return c.Do(ctx, c.B().Set().Key(key).Value(rueidis.BinaryString(v)).Build()).Error()
		},
		Delete: func(ctx context.Context, key string) error { return c.Do(ctx, c.B().Del().Key(key).Build()).Error() },
		GetMany: func(ctx context.Context, keys []string) (int, error) {
			found := 0
			list, err := c.Do(ctx, c.B().Mget().Key(keys...).Build()).ToArray()
			for _, m := range list {
				if !m.IsNil() {
					found++
				}
			}
			return found, err
		},
		Close: c.Close,
	}
	if p.Backups > 0 {
		// WAIT counts for the connection that has written, so both go over one.
		part.Set = func(ctx context.Context, key string, v []byte) error {
			r := c.DoMulti(ctx,
				c.B().Set().Key(key).Value(rueidis.BinaryString(v)).Build(),
				c.B().Wait().Numreplicas(int64(p.Backups)).Timeout(waitFor.Milliseconds()).Build())
			if err := r[0].Error(); err != nil {
				return err
			}
			n, err := r[1].AsInt64()
			return copies(n, p.Backups, err)
		}
	}
	return part, nil
}

func openGoRedis(ctx context.Context, p Place, others []json.RawMessage) (*Part, error) {
	if p.Serve {
		return serveRedis(ctx, p, others)
	}
	addr, err := decode[string](others[0])
	if err != nil {
		return nil, err
	}
	c := redis.NewClient(&redis.Options{Addr: addr, PoolSize: max(p.Callers, 1)})
	if err := c.Ping(ctx).Err(); err != nil {
		return nil, err
	}
	part := &Part{
		Get: func(ctx context.Context, key string) ([]byte, error) {
			v, err := c.Get(ctx, key).Bytes()
			return v, missing(err, redis.Nil)
		},
		Set:    func(ctx context.Context, key string, v []byte) error { return c.Set(ctx, key, v, 0).Err() },
		Delete: func(ctx context.Context, key string) error { return c.Del(ctx, key).Err() },
		GetMany: func(ctx context.Context, keys []string) (int, error) {
			list, err := c.MGet(ctx, keys...).Result()
			found := 0
			for _, v := range list {
				if v != nil {
					found++
				}
			}
			return found, err
		},
		Close: func() { _ = c.Close() },
	}
	if p.Backups > 0 {
		part.Set = func(ctx context.Context, key string, v []byte) error {
			pipe := c.Pipeline()
			set := pipe.Set(ctx, key, v, 0)
			wait := pipe.Do(ctx, "wait", p.Backups, waitFor.Milliseconds())
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
			if err := set.Err(); err != nil {
				return err
			}
			n, err := wait.Int64()
			return copies(n, p.Backups, err)
		}
	}
	return part, nil
}

// copies is the error of a WAIT.
func copies(n int64, want int, err error) error {
	if err == nil && n < int64(want) {
		err = fmt.Errorf("%d of %d replicas have the value", n, want)
	}
	return err
}

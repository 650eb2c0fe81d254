package wire

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCall measures calls with replies of 400 bytes over loopback TCP,
// both ends in this process; so allocs/op are those of both.
func BenchmarkCall(b *testing.B) {
	cred, err := NewCredentials("a secret for benchmarks", nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, how := range []struct {
		name string
		cred *Credentials
	}{{"plain", nil}, {"tls", cred}} {
		for _, callers := range []int{1, 8, 64, 512} {
			b.Run(fmt.Sprintf("%s/callers=%d", how.name, callers), func(b *testing.B) {
				benchmarkCall(b, Config{Credentials: how.cred}, callers)
			})
		}
	}
}

func benchmarkCall(b *testing.B, cfg Config, callers int) {
	reply := make([]byte, 400)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s, err := Serve(ln, cfg, func(c *Conn, r Request) {
		if err := c.Reply(r.ID, reply); err != nil {
			b.Error(err)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c, err := Dial(context.Background(), s.Addr().String(), cfg, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := make([]byte, 80)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := c.Call(ctx, 1, body, time.Second); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"
)

func TestConfigMistakes(t *testing.T) {
	const secret = "0123456789abcdef"
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // what the error has to say
	}{
		{"name too long", Config{Name: strings.Repeat("n", 200)}, []string{"Name", "200", "128"}},
		{"name with a slash", Config{Name: "a/b"}, []string{"Name", `"a/b"`, "'/'"}},
		{"name with a space", Config{Name: "a b"}, []string{"Name", `"a b"`}},
		{"bind without a port", Config{Bind: "127.0.0.1"}, []string{"Bind", `"127.0.0.1"`, "host:port"}},
		{"bind with a bad port", Config{Bind: "127.0.0.1:99999"}, []string{"Bind", "99999"}},
		{"peer without a port", Config{Peer: "127.0.0.1"}, []string{"Peer", "host:port"}},
		{"advertise a name", Config{Advertise: "host.example"}, []string{"Advertise", "host.example", "IP address"}},
		{"public without a secret", Config{Bind: "0.0.0.0:0"}, []string{"0.0.0.0", "Secret", "loopback"}},
		{"any host without a secret", Config{Bind: ":0"}, []string{"Secret", "loopback"}},
		{"public peer without a secret", Config{Peer: "0.0.0.0:0"}, []string{"0.0.0.0", "Secret"}},
		{"public advertise without a secret", Config{Advertise: "10.1.2.3"}, []string{"10.1.2.3", "Secret"}},
		{"short secret", Config{Secret: "short"}, []string{"5 bytes", "16"}},
		{"short old secret", Config{Secret: secret, OldSecrets: []string{"x"}}, []string{"1 bytes", "16"}},
		{"old secrets alone", Config{OldSecrets: []string{secret}}, []string{"OldSecrets", "Secret"}},
		{"backups", Config{Backups: 3}, []string{"Backups", "3", "limit is 2"}},
		{"negative memory", Config{Memory: -1}, []string{"Memory", "-1"}},
		{"little memory", Config{Memory: 1000}, []string{"Memory", "1000"}},
		{"negative value size", Config{MaxValue: -1}, []string{"MaxValue", "-1"}},
		{"large value size", Config{MaxValue: 1 << 30}, []string{"MaxValue", "1073741824", "16777216"}},
		{"negative fence", Config{Fence: -1}, []string{"Fence", "-1", "1024"}},
		{"high fence", Config{Fence: 1025}, []string{"Fence", "1025", "1024"}},
		{"long near time", Config{NearTTL: time.Minute}, []string{"NearTTL", "1m0s", "30s"}},
		{"negative timeout", Config{RequestTimeout: -1}, []string{"RequestTimeout", "-1"}},
		{"negative join wait", Config{JoinWait: -1}, []string{"JoinWait"}},
		{"join with a bad port", Config{Join: []string{"10.0.0.1:http!"}}, []string{"Join", "10.0.0.1:http!"}},
		{"empty join", Config{Join: []string{""}}, []string{"Join"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := Start(context.Background(), c.cfg)
			if err == nil {
				_ = n.Close()
				t.Fatal("it started")
			}
			if !strings.HasPrefix(err.Error(), "cluster: ") {
				t.Errorf("error does not say whose it is: %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error does not say %q: %v", w, err)
				}
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	for _, cfg := range []Config{{Bind: taken}, {Peer: taken}} {
		n, err := Start(context.Background(), cfg)
		if err == nil {
			_ = n.Close()
			t.Fatalf("%+v started", cfg)
		}
		if !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("unclear error: %v", err)
		}
	}
}

func TestCallLimits(t *testing.T) {
	ctx := context.Background()
	n := startNode(t, "solo", nil, func(c *Config) { c.MaxValue = 1000 })
	waitActive(t, n)
	c := openBytes(t, n, "c")
	long := strings.Repeat("k", MaxKey+1)
	for _, x := range []struct {
		name string
		do   func() error
		is   error
		want string
	}{
		{"empty key", func() error { _, err := c.Get(ctx, ""); return err }, nil, "empty"},
		{"long key in Get", func() error { _, err := c.Get(ctx, long); return err }, ErrTooLarge, "key of 4097 bytes is over the limit of 4096"},
		{"long key in Set", func() error { return c.Set(ctx, long, nil) }, ErrTooLarge, "4097"},
		{"long key in Delete", func() error { return c.Delete(ctx, "ok", long) }, ErrTooLarge, "4097"},
		{"long key in GetMany", func() error { _, err := c.GetMany(ctx, []string{long}); return err }, ErrTooLarge, "4097"},
		{"long value", func() error { return c.Set(ctx, "k", make([]byte, 1001)) }, ErrTooLarge, "value of 1001 bytes is over the limit of 1000"},
		{"no time to live", func() error { return c.SetTTL(ctx, "k", nil, 0) }, nil, "above zero"},
		{"negative time to live", func() error { return c.SetTTL(ctx, "k", nil, -time.Second) }, nil, "-1s"},
		{"cache without a name", func() error { _, err := NewCache(n, "", Options[int]{}); return err }, nil, "empty"},
		{"cache with a long name", func() error {
			_, err := NewCache(n, strings.Repeat("n", 256), Options[int]{})
			return err
		}, ErrTooLarge, "256 bytes is over the limit of 255"},
		{"negative TTL", func() error { _, err := NewCache(n, "x", Options[int]{TTL: -1}); return err }, nil, "TTL"},
		{"no node", func() error { _, err := NewCache(nil, "x", Options[int]{}); return err }, nil, "node"},
	} {
		err := x.do()
		if err == nil || !strings.Contains(err.Error(), x.want) || x.is != nil && !errors.Is(err, x.is) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	key := strings.Repeat("k", MaxKey)
	if err := c.Set(ctx, key, make([]byte, 1000)); err != nil {
		t.Errorf("what is just within the limits: %v", err)
	}
	if v, err := c.Get(ctx, key); err != nil || len(v) != 1000 {
		t.Errorf("%d bytes, %v", len(v), err)
	}
	odd := string([]byte{0, 0xff, '/', '\n', 0xc3})
	if err := c.Set(ctx, odd, []byte{}); err != nil {
		t.Error(err)
	}
	if v, err := c.Get(ctx, odd); err != nil || len(v) != 0 {
		t.Errorf("an empty value under an odd key: %q, %v", v, err)
	}
}

func TestDeadlines(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	c := openBytes(t, nodes[0], "c")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	past, cancelPast := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancelPast()
	for name, ctx := range map[string]context.Context{"cancelled": ctx, "past": past} {
		_, get := c.Get(ctx, "k")
		_, many := c.GetMany(ctx, []string{"k"})
		for call, err := range map[string]error{
			"get": get, "many": many, "set": c.Set(ctx, "k", nil), "delete": c.Delete(ctx, "k"), "clear": c.Clear(ctx),
		} {
			if !errors.Is(err, ErrUnavailable) || !errors.Is(err, ctx.Err()) {
				t.Errorf("%s: %s: %v", name, call, err)
			}
		}
	}
}

// Whatever is asked at once, and whoever does not answer, a call returns within
// its time.
func TestManyKeysTakeOneTimeout(t *testing.T) {
	const timeout = 300 * time.Millisecond
	nodes := startNodes(t, 2, func(c *Config) { c.RequestTimeout = timeout })
	c := openBytes(t, nodes[0], "c")
	loads, err := NewCache(nodes[0], "loads", Options[string]{Load: func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprint("k", i))
	}
	for i := range nodes[1].parts { // it does not come to its slots any more
		nodes[1].parts[i].mu.Lock()
	}
	defer func() {
		for i := range nodes[1].parts {
			nodes[1].parts[i].mu.Unlock()
		}
	}()
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"Delete":         func() error { return c.Delete(ctx, keys...) },
		"GetMany":        func() error { _, err := c.GetMany(ctx, keys); return err },
		"Get, and Load":  func() error { _, err := loads.Get(ctx, keys[0]); return err },
		"Get, elsewhere": func() error { _, err := c.Get(ctx, elsewhere(nodes[0], "c")); return err },
	} {
		start := time.Now()
		err := call()
		if took := time.Since(start); took > 5*timeout {
			t.Errorf("%s took %v with a request timeout of %v: %.100v", name, took, timeout, err)
		}
		if err == nil {
			t.Errorf("%s did not fail", name)
		}
	}
}

// elsewhere returns a key that another node owns.
func elsewhere(n *Node, cacheName string) string {
	for i := 0; ; i++ {
		if key := fmt.Sprint("k", i); n.Where(cacheName, key).Owner != n.Name() {
			return key
		}
	}
}

func TestLongestTTL(t *testing.T) {
	ctx := context.Background()
	for _, c := range openAll(t, startNodes(t, 2, nil), "c") {
		for i := range 8 {
			key := fmt.Sprint("k", i)
			if err := c.SetTTL(ctx, key, []byte("v"), math.MaxInt64); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Get(ctx, key); err != nil {
				t.Errorf("an entry with the longest time to live: %v", err)
			}
		}
	}
}

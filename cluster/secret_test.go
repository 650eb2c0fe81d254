package cluster

import (
	"context"
	"crypto/rand"
	"net"
	"testing"
	"time"
)

const testSecret = "a secret of thirty-two characters"

func withSecret(secret string, old ...string) func(*Config) {
	return func(c *Config) { c.Secret, c.OldSecrets = secret, old }
}

func TestSecret(t *testing.T) {
	ctx := context.Background()
	nodes := startNodes(t, 3, withSecret(testSecret))
	caches := openAll(t, nodes, "c")
	if err := caches[0].Set(ctx, "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	for _, c := range caches {
		if v, err := c.Get(ctx, "k"); string(v) != "v" {
			t.Errorf("%q, %v", v, err)
		}
	}
	for name, change := range map[string]func(*Config){"wrong": withSecret("some other secret, also long"), "none": nil} {
		stranger := startNode(t, name, nodes, change)
		waitActive(t, stranger) // alone
		cs := openBytes(t, stranger, "c")
		if v, err := cs.Get(ctx, "k"); err == nil {
			t.Errorf("%s secret: a stranger reads %q", name, v)
		}
		if err := cs.Clear(ctx); err != nil {
			t.Error(err)
		}
		if n := len(stranger.Members()); n != 1 {
			t.Errorf("%s secret: %d members", name, n)
		}
		if err := stranger.Close(); err != nil {
			t.Error(err)
		}
	}
	waitAgreed(t, nodes...)
	for _, c := range caches {
		if v, err := c.Get(ctx, "k"); string(v) != "v" {
			t.Errorf("after the strangers: %q, %v", v, err)
		}
	}
}

// The secret is changed node by node, without a stop.
func TestSecretIsRotated(t *testing.T) {
	const next = "the next secret, as long as it must be"
	nodes := startNodes(t, 2, withSecret(testSecret))
	keys := fillCache(t, openBytes(t, nodes[0], "c"), 500)
	for step, change := range []func(*Config){withSecret(testSecret, next), withSecret(next, testSecret), withSecret(next)} {
		for i := range nodes {
			other := nodes[1-i]
			n := startNode(t, nodes[i].Name()+"+", []*Node{other}, change)
			waitActive(t, n)
			waitAgreed(t, nodes[i], other, n)
			if err := nodes[i].Leave(context.Background()); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			nodes[i] = n
			waitAgreed(t, nodes...)
			checkAll(t, openBytes(t, n, "c"), keys)
		}
	}
}

// Random bytes on a node's ports do no harm.
func TestRandomBytesOnThePorts(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*Config){"plain": nil, "secret": withSecret(testSecret)} {
		t.Run(name, func(t *testing.T) {
			nodes := startNodes(t, 2, change)
			caches := openAll(t, nodes, "c")
			if err := caches[0].Set(ctx, "k", []byte("v")); err != nil {
				t.Fatal(err)
			}
			for i := range 60 {
				b := make([]byte, 1+i*37)
				_, _ = rand.Read(b)
				for _, to := range []struct{ network, addr string }{
					{"tcp", nodes[0].PeerAddr()},
					{"tcp", nodes[0].GossipAddr()},
					{"udp", nodes[0].GossipAddr()},
				} {
					c, err := net.DialTimeout(to.network, to.addr, time.Second)
					if err != nil {
						t.Fatalf("%s %s: %v", to.network, to.addr, err)
					}
					_ = c.SetDeadline(time.Now().Add(time.Second))
					_, _ = c.Write(b)
					_ = c.Close()
				}
			}
			if err := caches[1].Set(ctx, "k", []byte("w")); err != nil {
				t.Fatal(err)
			}
			for _, c := range caches {
				if v, err := c.Get(ctx, "k"); string(v) != "w" {
					t.Errorf("%q, %v", v, err)
				}
			}
			waitAgreed(t, nodes...)
		})
	}
}

package sim

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var seedFlag = flag.Uint64("sim.seed", 0, "the seed of all networks; 0: a new one")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulated runs f in a bubble with a network of the hosts a, b and c.
func simulated(t *testing.T, link Link, f func(t *testing.T, n *Network, a, b *Process)) {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	simulatedFrom(t, seed, link, f)
}

// simulatedFrom is simulated with a seed of its own, for what chance may do otherwise.
func simulatedFrom(t *testing.T, seed uint64, link Link, f func(t *testing.T, n *Network, a, b *Process)) {
	t.Helper()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Seed: seed, Link: link})
		defer n.Close()
		a, b := n.Host("a", "10.0.0.1"), n.Host("b", "10.0.0.2")
		n.Host("c", "10.0.0.3")
		f(t, n, a.Process(), b.Process())
	})
}

const addrB = "10.0.0.2:80"

// connect makes a stream from one process to another.
func connect(t *testing.T, a, b *Process) (dialled, accepted net.Conn) {
	t.Helper()
	ln, err := b.Listen(context.Background(), "tcp", addrB)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialled, err = a.Dial(context.Background(), "tcp", addrB)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Errorf("writing %q: %v", s, err)
	}
}

// read reads as much as s is long.
func read(t *testing.T, c net.Conn, s string) {
	t.Helper()
	b := make([]byte, len(s))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != s {
		t.Errorf("read %q, not %q: %v", b, s, err)
	}
}

// fails reads once and checks the error.
func fails(t *testing.T, c net.Conn, want error) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, want) {
		t.Errorf("read %d bytes, %v, not %v", n, err, want)
	}
}

func dialErr(p *Process, addr string, timeout time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	begin := time.Now()
	c, err := p.Dial(ctx, "tcp", addr)
	if err == nil {
		_ = c.Close()
	}
	return time.Since(begin), err
}

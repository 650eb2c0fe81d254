package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const lat = 10 * time.Millisecond

func TestStreamTakesTime(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, _ *Network, a, b *Process) {
		begin := time.Now()
		c, d := connect(t, a, b)
		if took := time.Since(begin); took != 2*lat {
			t.Errorf("connecting took %v, not %v", took, 2*lat)
		}
		write(t, c, "hello")
		write(t, c, " there")
		read(t, d, "hello there")
		if took := time.Since(begin); took != 3*lat {
			t.Errorf("reading took until %v, not %v", took, 3*lat)
		}
		if c.LocalAddr().String() != d.RemoteAddr().String() || c.RemoteAddr().String() != addrB {
			t.Errorf("%v to %v, %v to %v", c.LocalAddr(), c.RemoteAddr(), d.RemoteAddr(), d.LocalAddr())
		}
	})
}

// Whatever the link does to a stream, what is read is what was written.
func TestStreamKeepsOrder(t *testing.T) {
	simulated(t, Link{Latency: lat, Jitter: 5 * lat, Loss: 0.1, Bandwidth: 10 << 20}, func(t *testing.T, n *Network, a, b *Process) {
		c, d := connect(t, a, b)
		want := make([]byte, 3<<20)
		r := rand.New(rand.NewPCG(n.cfg.Seed, 0))
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for at := 0; at < len(want); {
				k := min(1+r.IntN(100_000), len(want)-at)
				if _, err := c.Write(want[at : at+k]); err != nil {
					t.Errorf("writing: %v", err)
					return
				}
				at += k
			}
			_ = c.(*end).CloseWrite()
		})
		got, err := io.ReadAll(d)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		wg.Wait()
		write(t, d, "back") // the other half is open
		read(t, c, "back")
	})
}

// A writer waits when the peer does not read, and goes on when it does.
func TestStreamBuffers(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, _ *Network, a, b *Process) {
		c, d := connect(t, a, b)
		_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
		k, err := c.Write(make([]byte, DefaultBuffer+1))
		if k != DefaultBuffer || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d: %v", k, err)
		}
		var to net.Error
		if !errors.As(err, &to) || !to.Timeout() {
			t.Errorf("not a timeout: %v", err)
		}
		_ = c.SetWriteDeadline(time.Time{})
		done := make(chan struct{})
		go func() { // ends with the write
			defer close(done)
			write(t, c, "more")
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("wrote more than there is room for")
		default:
		}
		if _, err := io.ReadFull(d, make([]byte, DefaultBuffer)); err != nil {
			t.Error(err)
		}
		read(t, d, "more")
		<-done
	})
}

func TestDeadlines(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, _ *Network, a, b *Process) {
		c, d := connect(t, a, b)
		begin := time.Now()
		_ = c.SetReadDeadline(begin.Add(time.Second))
		fails(t, c, os.ErrDeadlineExceeded)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v", took)
		}
		write(t, d, "x")
		time.Sleep(2 * lat)
		fails(t, c, os.ErrDeadlineExceeded) // though there is something
		_ = c.SetReadDeadline(time.Time{})
		read(t, c, "x")
		time.AfterFunc(time.Second, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		fails(t, c, os.ErrDeadlineExceeded) // set while it waits
		_ = c.SetDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _ = c.Close() })
		fails(t, c, net.ErrClosed)
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closing again: %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	t.Run("what was written before arrives", func(t *testing.T) {
		simulated(t, Link{Latency: lat}, func(t *testing.T, _ *Network, a, b *Process) {
			c, d := connect(t, a, b)
			write(t, c, "bye")
			_ = c.Close()
			read(t, d, "bye")
			fails(t, d, io.EOF)
			write(t, d, "too late")
			time.Sleep(3 * lat)
			if _, err := d.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("writing to who has closed: %v", err)
			}
		})
	})
	t.Run("unread bytes make it a reset", func(t *testing.T) {
		simulated(t, Link{Latency: lat}, func(t *testing.T, _ *Network, a, b *Process) {
			c, d := connect(t, a, b)
			write(t, d, "not read")
			time.Sleep(2 * lat)
			write(t, c, "lost")
			_ = c.Close()
			fails(t, d, syscall.ECONNRESET)
		})
	})
	t.Run("by half", func(t *testing.T) {
		simulated(t, Link{Latency: lat}, func(t *testing.T, _ *Network, a, b *Process) {
			c, d := connect(t, a, b)
			_ = c.(*end).CloseWrite()
			fails(t, d, io.EOF)
			if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("writing after it: %v", err)
			}
			write(t, d, "answer")
			_ = d.Close()
			read(t, c, "answer")
			fails(t, c, io.EOF)
			_ = c.Close()
			time.Sleep(time.Second)
			if len(a.ends)+len(b.ends) != 0 {
				t.Errorf("%d and %d ends are left", len(a.ends), len(b.ends))
			}
		})
	})
}

func TestDial(t *testing.T) {
	simulated(t, Link{Latency: lat}, func(t *testing.T, n *Network, a, b *Process) {
		took, err := dialErr(a, addrB, time.Minute)
		if !errors.Is(err, syscall.ECONNREFUSED) || took != 2*lat {
			t.Errorf("nobody listens: %v after %v", err, took)
		}
		ln, err := b.Listen(context.Background(), "tcp", addrB)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Listen(context.Background(), "tcp", addrB); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listening twice: %v", err)
		}
		if _, err := a.Listen(context.Background(), "tcp", addrB); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("listening on another's address: %v", err)
		}
		if took, err = dialErr(a, "10.0.0.9:80", time.Second); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Second {
			t.Errorf("no such host: %v after %v", err, took)
		}
		n.Cut("a", "b", BlackHole)
		if took, err = dialErr(a, addrB, time.Second); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Second {
			t.Errorf("a black hole: %v after %v", err, took)
		}
		time.AfterFunc(1500*time.Millisecond, n.Heal)
		if took, err = dialErr(a, addrB, time.Minute); err != nil || took != 3*time.Second+2*lat {
			t.Errorf("a black hole for 1.5 s: %v after %v", err, took) // knocks at 0, 1 and 3 s
		}
		n.Cut("a", "b", Refuse)
		if took, err = dialErr(a, addrB, time.Minute); !errors.Is(err, syscall.ECONNREFUSED) || took != 2*lat {
			t.Errorf("refused: %v after %v", err, took)
		}
		n.Cut("a", "b", Open)
		n.Cut("b", "a", BlackHole) // the answer does not come back
		if took, err = dialErr(a, addrB, time.Second); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Second {
			t.Errorf("a black hole on the way back: %v after %v", err, took)
		}
		n.Heal()
		_ = ln.Close()
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepting after closing: %v", err)
		}
	})
}

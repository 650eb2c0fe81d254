package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestConfig(t *testing.T) {
	for _, test := range []struct {
		cfg  Config
		says string
	}{
		{Config{MaxFrame: 1000}, "MaxFrame of 1000 is below 1024"},
		{Config{MaxFrame: -1}, "MaxFrame of -1 is negative"},
		{Config{MaxFrame: 2 << 30}, "MaxFrame of 2147483648 is over the limit of 1073741824"},
		{Config{MaxQueue: -1}, "MaxQueue of -1 is negative"},
		{Config{MaxCalls: 2 << 20}, "MaxCalls of 2097152 is over"},
		{Config{MaxConns: -3}, "MaxConns of -3"},
		{Config{MaxHandshakes: -3}, "MaxHandshakes of -3"},
		{Config{HandshakeTimeout: -1}, "HandshakeTimeout of -1ns is negative"},
		{Config{WriteTimeout: -1}, "WriteTimeout of -1ns is negative"},
		{Config{Hello: make([]byte, 2049)}, "Hello of 2049 bytes is over the limit of 2048"},
	} {
		if _, err := Serve(nil, test.cfg, nil); err == nil || !strings.Contains(err.Error(), "wire: "+test.says) {
			t.Errorf("error %v, not %q", err, test.says)
		}
		if _, err := Dial(context.Background(), "", test.cfg, nil); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("error %v, not %q", err, test.says)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		got := rawAccept(t, p, opening{maxFrame: DefaultMaxFrame})
		c, err := Dial(context.Background(), "", Config{Dial: p.dial, MaxQueue: 10_000}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		peer := <-got
		defer peer.Close()
		if err := c.Send(1, make([]byte, 50_000)); err != nil { // one always may
			t.Fatal(err)
		}
		wantErr(t, c.Send(1, nil), ErrOverloaded, ErrNotSent)
		_, err = c.Call(context.Background(), 1, nil, time.Second)
		wantErr(t, err, ErrOverloaded, ErrNotSent)
		wantErr(t, c.Reply(1, nil), ErrOverloaded)
		if _, err := io.ReadFull(peer, make([]byte, headSize+50_000)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		sent := 0
		for err = nil; err == nil; sent++ {
			err = c.Send(1, make([]byte, 990))
		}
		wantErr(t, err, ErrOverloaded)
		if sent-1 != 10 {
			t.Errorf("%d frames of 1000 bytes were queued, not 10", sent-1)
		}
	})
}

func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, newPipes(), Config{}, func(*Conn, Request) {})
		c := dial(t, s, Config{MaxCalls: 3}, nil)
		for range 3 {
			go func() { // ends with the call
				if _, err := c.Call(context.Background(), 1, nil, time.Second); !errors.Is(err, ErrTimeout) {
					t.Errorf("error %v", err)
				}
			}()
		}
		synctest.Wait()
		_, err := c.Call(context.Background(), 1, nil, time.Second)
		wantErr(t, err, ErrOverloaded, ErrNotSent)
		time.Sleep(2 * time.Second) // virtual
		_, err = c.Call(context.Background(), 1, nil, time.Second)
		wantErr(t, err, ErrTimeout)
	})
}

// A peer that asks and never reads the answers costs no more than the queue,
// holds up neither the handler nor other peers, and is let go.
func TestSlowReader(t *testing.T) {
	var overloaded, handled atomic.Int64
	full := make(chan struct{}, 1)
	answer := make([]byte, 100_000)
	s := serve(t, nil, Config{MaxQueue: 1 << 20}, func(c *Conn, r Request) {
		handled.Add(1)
		if r.Kind == 2 {
			echo(c, r)
			return
		}
		if err := c.Reply(r.ID, answer); err != nil {
			if !errors.Is(err, ErrOverloaded) && !errors.Is(err, ErrNotSent) {
				t.Error(err)
			}
			overloaded.Add(1)
			select {
			case full <- struct{}{}:
			default:
			}
		}
	})
	slow := rawDial(t, s)
	asking := make(chan struct{})
	go func() { // ends when slow is closed
		defer close(asking)
		one := appendRequest(nil, 1, 1, time.Second, nil)
		for {
			if _, err := slow.Write(one); err != nil {
				return
			}
		}
	}()
	select {
	case <-full:
	case <-time.After(patience):
		t.Fatal("replies to one who does not read never came to their bound")
	}
	c := dial(t, s, Config{}, nil)
	for range 100 {
		if _, err := c.Call(context.Background(), 2, nil, patience); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	for c := range s.conns {
		c.mu.Lock()
		if c.queued > 1<<20 || cap(c.out) > 4<<20 {
			t.Errorf("%d bytes are queued in %d", c.queued, cap(c.out))
		}
		c.mu.Unlock()
	}
	s.mu.Unlock()
	_ = slow.Close()
	<-asking
}

func TestMaxConns(t *testing.T) {
	logs := newLogged()
	s := serve(t, nil, Config{MaxConns: 2, Logger: logs.logger()}, echo)
	one := dial(t, s, Config{}, nil)
	dial(t, s, Config{}, nil)
	_, err := Dial(context.Background(), s.Addr().String(), Config{}, nil)
	wantErr(t, err, ErrOverloaded)
	logs.wait(t, "too many")
	one.Close()
	giveUp := time.Now().Add(patience)
	for { // until the server has seen it
		c, err := Dial(context.Background(), s.Addr().String(), Config{}, nil)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(giveUp) {
			t.Fatal(err)
		}
	}
}

// Strangers who say nothing do not keep a peer out.
func TestHandshakesAreBounded(t *testing.T) {
	s := serve(t, nil, Config{MaxHandshakes: 3}, echo)
	var strangers []net.Conn
	for range 20 {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		strangers = append(strangers, nc)
	}
	c := dial(t, s, Config{}, nil)
	if _, err := c.Call(context.Background(), 1, nil, patience); err != nil {
		t.Fatal(err)
	}
	for _, nc := range strangers[:17] {
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := nc.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a stranger was not cut off: %v", err)
		}
	}
	s.mu.Lock()
	if n := s.shakes.Len(); n > 3 {
		t.Errorf("%d handshakes are under way", n)
	}
	s.mu.Unlock()
}

func TestServerLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := serve(t, nil, Config{}, echo)
	var conns []*Conn
	for range 10 {
		c := dial(t, s, Config{}, nil)
		conns = append(conns, c)
		if _, err := c.Call(context.Background(), 1, nil, patience); err != nil {
			t.Fatal(err)
		}
	}
	nc, err := net.Dial("tcp", s.Addr().String()) // in its handshake
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s.Close()
	s.Close()
	s.mu.Lock()
	if len(s.conns) != 0 || s.shakes.Len() != 0 || s.places != 0 {
		t.Errorf("left: %d connections, %d handshakes, %d places", len(s.conns), s.shakes.Len(), s.places)
	}
	s.mu.Unlock()
	for _, c := range conns {
		<-c.Done()
		c.Close()
	}
	goleak.VerifyNone(t, before)
	if _, err := Dial(context.Background(), s.Addr().String(), Config{}, nil); err == nil {
		t.Error("a closed server was dialed")
	}
}

package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// networks runs a test over what connections can be made of.
func networks(t *testing.T, f func(t *testing.T, p *pipes, cfg Config)) {
	cred := secured(t, "a secret of some length")
	t.Run("tcp", func(t *testing.T) { f(t, nil, Config{}) })
	t.Run("tls", func(t *testing.T) { f(t, nil, Config{Credentials: cred}) })
	t.Run("pipe", func(t *testing.T) { f(t, newPipes(), Config{}) })
	t.Run("tls over pipe", func(t *testing.T) { f(t, newPipes(), Config{Credentials: cred}) })
}

func TestCallAndReply(t *testing.T) {
	networks(t, func(t *testing.T, p *pipes, cfg Config) {
		oneWay := make(chan string, 1)
		there, here := cfg, cfg
		there.Protocol, there.Hello = Version{Minor: 7}, []byte("server")
		here.Hello, here.Kinds = []byte("client"), []Kind{9}
		s := serve(t, p, there, func(c *Conn, r Request) {
			switch {
			case r.ID == 0:
				oneWay <- fmt.Sprintf("%d %s %v", r.Kind, r.Body, r.Timeout)
			case r.Kind == 2:
				if err := c.Fail(r.ID, 77, "because"); err != nil {
					t.Error(err)
				}
			case string(c.Peer()) != "client":
				t.Errorf("the peer's hello is %q", c.Peer())
			default:
				echo(c, r)
			}
		})
		c := dial(t, s, here, nil)
		if string(c.Peer()) != "server" || c.PeerVersion() != (Version{Minor: 7}) {
			t.Errorf("peer %q of version %v", c.Peer(), c.PeerVersion())
		}
		ctx := context.Background()
		for _, size := range []int{0, 1, 400, 5000, 70_000, 300_000, 3 << 20} {
			body := bytes.Repeat([]byte{byte(size), 3}, (size+1)/2)[:size]
			want := bytes.Clone(body)
			got, err := c.Call(ctx, 1, body, patience)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes came back as %d, error %v", size, len(got), err)
			}
			if cap(got) != len(got) {
				t.Errorf("a reply of %d bytes holds %d", len(got), cap(got))
			}
		}
		var refused *RemoteError
		if _, err := c.Call(ctx, 2, nil, patience); !errors.As(err, &refused) || *refused != (RemoteError{77, "because"}) {
			t.Errorf("error %v", err)
		}
		if err := c.Send(3, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got := <-oneWay; got != "3 hello 0s" {
			t.Errorf("one-way message came as %q", got)
		}
		if c.Err() != nil {
			t.Errorf("error %v while it lives", c.Err())
		}
		c.Close()
		c.Close()
		<-c.Done()
		wantErr(t, c.Err(), ErrClosed)
		_, err := c.Call(ctx, 1, nil, patience)
		wantErr(t, err, ErrNotSent, ErrClosed)
		wantErr(t, c.Send(1, nil), ErrNotSent)
	})
}

// Requests may go both ways, and a handler may ask nothing but answer at once.
func TestBothEndsAsk(t *testing.T) {
	networks(t, func(t *testing.T, p *pipes, cfg Config) {
		accepted := make(chan *Conn, 1)
		s := serve(t, p, cfg, func(c *Conn, r Request) {
			select {
			case accepted <- c:
			default:
			}
			echo(c, r)
		})
		c := dial(t, s, cfg, echo)
		ask := func(c *Conn) {
			for i := range 200 {
				want := fmt.Sprint(i)
				got, err := c.Call(context.Background(), 1, []byte(want), patience)
				if err != nil || string(got) != want {
					t.Errorf("%q for %q, error %v", got, want, err)
					return
				}
			}
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { ask(c) })
		}
		back := <-accepted
		for range 4 {
			wg.Go(func() { ask(back) })
		}
		wg.Wait()
	})
}

func TestManyCallers(t *testing.T) {
	networks(t, func(t *testing.T, p *pipes, cfg Config) {
		s := serve(t, p, cfg, func(c *Conn, r Request) {
			if r.Body[0]%3 > 0 {
				echo(c, r)
				return
			}
			body := bytes.Clone(r.Body)
			go func() { // ends with the reply
				if err := c.Reply(r.ID, body); err != nil {
					t.Error(err)
				}
			}()
		})
		c := dial(t, s, cfg, nil)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				for j := range 50 {
					want := bytes.Repeat([]byte{byte(i), byte(j)}, 1+i*j%300)
					got, err := c.Call(context.Background(), 1, want, patience)
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("another's reply, or error %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.waiting.count != 0 {
			t.Errorf("%d calls are still in the table", c.waiting.count)
		}
	})
}

func TestRepliesInAnyOrder(t *testing.T) {
	type asked struct {
		conn *Conn
		id   uint32
		body string
	}
	requests := make(chan asked, 3)
	s := serve(t, nil, Config{}, func(c *Conn, r Request) { requests <- asked{c, r.ID, string(r.Body)} })
	c := dial(t, s, Config{}, nil)
	replies := make(chan string, 3)
	for _, name := range []string{"a", "b", "c"} {
		go func() { // ends with the call
			got, err := c.Call(context.Background(), 1, []byte(name), patience)
			replies <- fmt.Sprintf("%s=%s %v", name, got, err)
		}()
	}
	var all []asked
	for range 3 {
		all = append(all, <-requests)
	}
	for i := range all {
		r := all[len(all)-1-i] // the last one first
		if err := r.conn.Reply(r.id, []byte("re "+r.body)); err != nil {
			t.Fatal(err)
		}
		if got, want := <-replies, fmt.Sprintf("%s=re %s <nil>", r.body, r.body); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	// A second reply to the same request finds nobody.
	if err := all[0].conn.Reply(all[0].id, []byte("again")); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the call
		r := <-requests
		if err := r.conn.Reply(r.id, []byte("x")); err != nil {
			t.Error(err)
		}
	}()
	if got, err := c.Call(context.Background(), 1, nil, patience); string(got) != "x" {
		t.Errorf("%q, error %v", got, err)
	}
}

// What is put into a connection that is held leaves with the first Release, and what
// is much does not wait for it.
func TestHold(t *testing.T) {
	requests := make(chan func(body []byte) error, 3)
	conns := make(chan *Conn, 3)
	s := serve(t, nil, Config{}, func(c *Conn, r Request) {
		conns <- c
		requests <- func(body []byte) error { return c.Reply(r.ID, body) }
	})
	c := dial(t, s, Config{}, nil)
	replies := make(chan int, 3)
	for range 3 {
		go func() { // ends with the call
			got, err := c.Call(context.Background(), 1, nil, patience)
			if err != nil {
				t.Error(err)
			}
			replies <- len(got)
		}()
	}
	var answer []func([]byte) error
	var conn *Conn
	for range 3 {
		conn = <-conns
		answer = append(answer, <-requests)
	}
	waits := func() int {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return len(conn.out)
	}
	corked := func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return conn.corked
	}
	for giveUp := time.Now().Add(patience); corked(); runtime.Gosched() { // the reader writes what it finds
		if time.Now().After(giveUp) {
			t.Fatal("the reader is not through")
		}
	}
	conn.Hold()
	conn.Hold()
	for _, a := range answer[:2] {
		before := waits()
		if err := a([]byte("held")); err != nil {
			t.Fatal(err)
		}
		if waits() <= before {
			t.Error("a reply was not held back")
		}
	}
	conn.Release()
	if a, b := <-replies, <-replies; a != 4 || b != 4 || waits() > 0 {
		t.Errorf("replies of %d and %d bytes, and %d wait", a, b, waits())
	}
	if err := answer[2](make([]byte, corkBytes)); err != nil {
		t.Fatal(err)
	}
	if got := <-replies; got != corkBytes {
		t.Errorf("a reply of %d bytes", got)
	}
	conn.Release()
}

func TestUnknownKind(t *testing.T) {
	logs := newLogged()
	s := serve(t, nil, Config{Kinds: []Kind{1}, Logger: logs.logger()}, echo)
	c := dial(t, s, Config{}, nil)
	_, err := c.Call(context.Background(), 200, nil, patience)
	var refused *RemoteError
	if !errors.As(err, &refused) || refused.Code != CodeUnknownKind || !strings.Contains(refused.Message, "kind 200 is not known") {
		t.Fatalf("error %v", err)
	}
	if err := c.Send(201, nil); err != nil {
		t.Fatal(err)
	}
	logs.wait(t, "kind=201")
	if _, err := c.Call(context.Background(), 1, nil, patience); err != nil {
		t.Fatalf("the connection did not go on: %v", err)
	}
}

// What is sent is held to what the receiver takes, so a long frame does not
// cost the connection.
func TestTooLongToSend(t *testing.T) {
	s := serve(t, nil, Config{MaxFrame: 2000}, func(c *Conn, r Request) {
		if r.Kind == 2 {
			wantErr(t, c.Reply(r.ID, make([]byte, 3000)), ErrTooLong)
			return
		}
		echo(c, r)
	})
	c := dial(t, s, Config{MaxFrame: 1500}, nil)
	_, err := c.Call(context.Background(), 1, make([]byte, 1991), patience)
	wantErr(t, err, ErrTooLong)
	if errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), "2001 bytes, over the limit of 2000") {
		t.Errorf("error %v", err)
	}
	if got, err := c.Call(context.Background(), 1, make([]byte, 1494), patience); err != nil || len(got) != 1494 {
		t.Errorf("the longest reply: %d bytes, error %v", len(got), err)
	}
	_, err = c.Call(context.Background(), 2, nil, patience)
	var refused *RemoteError
	if !errors.As(err, &refused) || refused.Code != CodeTooLong || !strings.Contains(refused.Message, "3006 bytes, over the limit of 1500") {
		t.Errorf("error %v", err)
	}
	wantErr(t, c.Send(1, make([]byte, 2000)), ErrTooLong)
	if err := c.Reply(0, nil); err == nil {
		t.Error("a one-way message was replied to")
	}
}

// A reply that nobody waits for any longer is read over, however long.
func TestLateReply(t *testing.T) {
	type asked struct {
		conn *Conn
		id   uint32
	}
	for _, size := range []int{10, 1 << 20} {
		requests := make(chan asked, 2)
		s := serve(t, nil, Config{}, func(c *Conn, r Request) { requests <- asked{c, r.ID} })
		c := dial(t, s, Config{}, nil)
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error, 1)
		go func() { // ends with the call
			_, err := c.Call(ctx, 1, nil, patience)
			result <- err
		}()
		late := <-requests
		cancel()
		err := <-result
		wantErr(t, err, context.Canceled)
		if errors.Is(err, ErrNotSent) || errors.Is(err, ErrBroken) {
			t.Errorf("error %v", err)
		}
		go func() { // ends with the reply to the next call
			if err := late.conn.Reply(late.id, make([]byte, size)); err != nil {
				t.Error(err)
			}
			next := <-requests
			if err := next.conn.Reply(next.id, []byte("mine")); err != nil {
				t.Error(err)
			}
		}()
		if got, err := c.Call(context.Background(), 1, nil, patience); string(got) != "mine" {
			t.Errorf("%d bytes, error %v", len(got), err)
		}
	}
}

func TestPeerClosesMidCall(t *testing.T) {
	networks(t, func(t *testing.T, p *pipes, cfg Config) {
		asked := make(chan struct{}, 1)
		s := serve(t, p, cfg, func(*Conn, Request) { asked <- struct{}{} })
		c := dial(t, s, cfg, nil)
		go func() { // ends with the server
			<-asked
			s.Close()
		}()
		_, err := c.Call(context.Background(), 1, nil, patience)
		wantErr(t, err, ErrBroken)
		if errors.Is(err, ErrNotSent) {
			t.Errorf("%v, though it was sent", err)
		}
		<-c.Done()
		if p == nil { // a pipe may say that the last write came too late
			wantErr(t, c.Err(), io.EOF)
		}
		_, err = c.Call(context.Background(), 1, nil, patience)
		wantErr(t, err, ErrNotSent)
		s.Close()
	})
}

// Long bodies both ways at once: neither end waits with reading until its own
// writing is done.
func TestLongBodiesBothWays(t *testing.T) {
	networks(t, func(t *testing.T, p *pipes, cfg Config) {
		accepted := make(chan *Conn, 1)
		s := serve(t, p, cfg, func(c *Conn, r Request) {
			if r.ID == 0 {
				accepted <- c
			}
			echo(c, r)
		})
		c := dial(t, s, cfg, echo)
		if err := c.Send(1, nil); err != nil {
			t.Fatal(err)
		}
		body := bytes.Repeat([]byte("0123456789"), 60_000)
		var wg sync.WaitGroup
		for _, c := range []*Conn{c, <-accepted} {
			for range 3 {
				wg.Go(func() {
					for range 3 {
						got, err := c.Call(context.Background(), 1, body, patience)
						if err != nil || !bytes.Equal(got, body) {
							t.Errorf("%d bytes, error %v", len(got), err)
							return
						}
					}
				})
			}
		}
		wg.Wait()
	})
}

// What was queued before Close is written. In memory, where it has to wait for
// the reader, time is virtual.
func TestCloseWritesWhatWaits(t *testing.T) {
	networks(t, func(t *testing.T, p *pipes, cfg Config) {
		if p == nil {
			closeWritesWhatWaits(t, nil, cfg)
			return
		}
		synctest.Test(t, func(t *testing.T) { closeWritesWhatWaits(t, newPipes(), cfg) })
	})
}

func closeWritesWhatWaits(t *testing.T, p *pipes, cfg Config) {
	const count = 100
	got := make(chan byte, count)
	s := serve(t, p, cfg, func(_ *Conn, r Request) { got <- r.Body[0] })
	c := dial(t, s, cfg, nil)
	for i := range count {
		if err := c.Send(1, bytes.Repeat([]byte{byte(i)}, 500)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	for i := range count {
		select {
		case b := <-got:
			if b != byte(i) {
				t.Fatalf("message %d came in place of %d", b, byte(i))
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d messages came", i, count)
		}
	}
}

// What was written last arrives, also when the peer is writing all the while:
// closing a socket with something to be read from it would take it back.
func TestCloseDoesNotReset(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for range 10 {
		got := rawAccept(t, ln, opening{maxFrame: DefaultMaxFrame})
		c, err := Dial(context.Background(), ln.Addr().String(), Config{}, func(*Conn, Request) {})
		if err != nil {
			t.Fatal(err)
		}
		peer := <-got
		writing := make(chan struct{})
		go func() { // ends when peer is closed
			defer close(writing)
			b := appendFrame(nil, 0, typeOneWay, 1, make([]byte, 1000))
			for {
				if _, err := peer.Write(b); err != nil {
					return
				}
			}
		}()
		body := make([]byte, 300_000)
		if err := c.Send(1, body); err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		go func() { // ends with Close
			c.Close()
			close(closed)
		}()
		n, err := io.Copy(io.Discard, peer)
		if err != nil || n != int64(headSize+len(body)) {
			t.Errorf("%d of %d bytes came, error %v", n, headSize+len(body), err)
		}
		_ = peer.Close()
		<-closed
		<-writing
		wantErr(t, c.Err(), ErrClosed)
	}
}

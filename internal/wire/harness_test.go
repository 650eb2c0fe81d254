package wire

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second // for what happens in real time

// logged keeps log lines, so that a test can wait for one.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newLogged() *logged { return &logged{more: make(chan struct{}, 1)} }

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) wait(t testing.TB, part string) {
	t.Helper()
	giveUp := time.After(patience)
	for !strings.Contains(l.String(), part) {
		select {
		case <-l.more:
		case <-giveUp:
			t.Fatalf("no %q in the log:\n%s", part, l)
		}
	}
}

// pipes is a network in memory without any buffer.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	shut  chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), shut: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.shut:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.shut) })
	return nil
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case p.conns <- b:
		return a, nil
	case <-p.shut:
		return nil, errors.New("refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve starts a server on loopback, or in memory if there are pipes.
func serve(t testing.TB, p *pipes, cfg Config, h Handler) *Server {
	t.Helper()
	var ln net.Listener = p
	if p == nil {
		var err error
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Serve(ln, cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dial(t testing.TB, s *Server, cfg Config, h Handler) *Conn {
	t.Helper()
	if p, ok := s.ln.(*pipes); ok {
		cfg.Dial = p.dial
	}
	c, err := Dial(context.Background(), s.Addr().String(), cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// echo replies with what it gets.
func echo(c *Conn, r Request) {
	if r.ID != 0 {
		_ = c.Reply(r.ID, r.Body)
	}
}

// rawDial makes the plain handshake by hand and leaves the rest to the test.
func rawDial(t testing.TB, s *Server) net.Conn {
	t.Helper()
	var nc net.Conn
	var err error
	if p, ok := s.ln.(*pipes); ok {
		nc, err = p.dial(context.Background(), "", "")
	} else {
		nc, err = net.Dial("tcp", s.Addr().String())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	rawOpen(t, nc, opening{maxFrame: DefaultMaxFrame})
	return nc
}

func rawOpen(t testing.TB, nc net.Conn, mine opening) opening {
	t.Helper()
	if _, err := nc.Write(mine.append(nil)); err != nil {
		t.Fatal(err)
	}
	theirs, err := readOpening(nc, mine.version.Major)
	if err != nil {
		t.Fatal(err)
	}
	return theirs
}

// rawAccept takes one connection and makes its handshake by hand.
func rawAccept(t testing.TB, ln net.Listener, mine opening) chan net.Conn {
	got := make(chan net.Conn, 1)
	go func() { // ends with the handshake
		defer close(got)
		nc, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := readOpening(nc, 0); err != nil {
			t.Error(err)
		}
		if _, err := nc.Write(mine.append(nil)); err != nil {
			t.Error(err)
		}
		got <- nc
	}()
	return got
}

func wantErr(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Fatalf("error %v is not %v", err, w)
		}
	}
}

// secured returns credentials, which are slow to make, for the secrets.
func secured(t testing.TB, secret string, old ...string) *Credentials {
	t.Helper()
	c, err := NewCredentials(secret, old)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

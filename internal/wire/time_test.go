package wire

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan time.Duration, 1)
		s := serve(t, newPipes(), Config{}, func(_ *Conn, r Request) { told <- r.Timeout })
		c := dial(t, s, Config{}, nil)
		for _, test := range []struct {
			name         string
			timeout, ctx time.Duration
			want         time.Duration
		}{
			{"its own", 50 * time.Millisecond, time.Hour, 50 * time.Millisecond},
			{"the context's", time.Hour, 30 * time.Millisecond, 30 * time.Millisecond},
			{"a short one", time.Microsecond, time.Hour, time.Microsecond},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), test.ctx)
			start := time.Now()
			_, err := c.Call(ctx, 1, nil, test.timeout)
			cancel()
			wantErr(t, err, context.DeadlineExceeded)
			if took, travelled := time.Since(start), <-told; took != test.want || travelled != test.want {
				t.Errorf("%s: took %v and told %v, not %v", test.name, took, travelled, test.want)
			}
		}
		for _, timeout := range []time.Duration{0, -time.Second} {
			_, err := c.Call(context.Background(), 1, nil, timeout)
			wantErr(t, err, ErrNotSent, ErrTimeout)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := c.Call(ctx, 1, nil, time.Second)
		wantErr(t, err, ErrNotSent, context.Canceled)
		synctest.Wait()
		if len(told) != 0 {
			t.Error("a call was sent whose time was over")
		}
	})
}

// Of many calls each ends in its own time, in whatever order they come, and though
// others were answered meanwhile.
func TestManyTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answered, kept = 1, 2
		s := serve(t, newPipes(), Config{}, func(c *Conn, r Request) {
			if r.Kind == answered {
				_ = c.Reply(r.ID, nil)
			}
		})
		c := dial(t, s, Config{}, nil)
		rng := rand.New(rand.NewPCG(1, 1))
		var calls sync.WaitGroup
		for i := range 500 {
			kind, want := Kind(answered+i%2), time.Duration(1+rng.IntN(1e8))
			calls.Go(func() {
				start := time.Now()
				_, err := c.Call(context.Background(), kind, nil, want)
				took := time.Since(start)
				switch {
				case kind == answered && (err != nil || took > 0):
					t.Errorf("answered after %v: %v", took, err)
				case kind == kept && (took < want || took > want+dueApart):
					t.Errorf("took %v, not %v", took, want)
				case kind == kept:
					wantErr(t, err, ErrTimeout)
				}
			})
			if i%10 == 0 {
				time.Sleep(time.Duration(rng.IntN(1e6)))
			}
		}
		calls.Wait()
	})
}

// A peer that does not read delays no caller beyond its timeout, and the
// connection ends when nothing could be written for too long.
func TestPeerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		got := rawAccept(t, p, opening{maxFrame: DefaultMaxFrame})
		c, err := Dial(context.Background(), "", Config{Dial: p.dial, WriteTimeout: 4 * time.Second}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		peer := <-got
		defer peer.Close()
		start := time.Now()
		_, err = c.Call(context.Background(), 1, nil, time.Second)
		wantErr(t, err, ErrTimeout)
		if took := time.Since(start); took != time.Second {
			t.Errorf("timed out after %v", took)
		}
		if err := c.Send(1, make([]byte, 1000)); err != nil {
			t.Errorf("sending: %v", err)
		}
		<-c.Done()
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("ended after %v", took)
		}
		wantErr(t, c.Err(), os.ErrDeadlineExceeded)
	})
}

// Of two calls that wait when the connection ends, the one that was being
// written may have left and the other has not.
func TestNotSentOrBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		got := rawAccept(t, p, opening{maxFrame: DefaultMaxFrame})
		c, err := Dial(context.Background(), "", Config{Dial: p.dial}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		peer := <-got
		results := make([]chan error, 2)
		for i := range results {
			results[i] = make(chan error, 1)
			go func() { // ends with the call
				_, err := c.Call(context.Background(), 1, make([]byte, 100), time.Minute)
				results[i] <- err
			}()
			synctest.Wait()
		}
		if _, err := peer.Read(make([]byte, 20)); err != nil { // of the first
			t.Fatal(err)
		}
		_ = peer.Close()
		first, second := <-results[0], <-results[1]
		wantErr(t, first, ErrBroken)
		wantErr(t, second, ErrNotSent)
		if errors.Is(first, ErrNotSent) || errors.Is(second, ErrBroken) {
			t.Errorf("%v; %v", first, second)
		}
	})
}

// Close does not wait for a peer that does not read.
func TestCloseLingersShortly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		got := rawAccept(t, p, opening{maxFrame: DefaultMaxFrame})
		c, err := Dial(context.Background(), "", Config{Dial: p.dial}, nil)
		if err != nil {
			t.Fatal(err)
		}
		peer := <-got
		defer peer.Close()
		if err := c.Send(1, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c.Close()
		if took := time.Since(start); took != lingerFor {
			t.Errorf("closing took %v, not %v", took, lingerFor)
		}
	})
}

// acceptMute accepts a connection, says so if somebody wants to know, and reads what
// comes until it ends.
func acceptMute(t *testing.T, p *pipes, accepted chan<- struct{}) {
	nc, err := p.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	if accepted != nil {
		close(accepted)
	}
	swallow(nc)
}

// hasty is a connection whose deadlines come a little early, and which can be closed
// on one side as TCP's can.
type hasty struct{ net.Conn }

func (h hasty) SetDeadline(at time.Time) error { return h.Conn.SetDeadline(at.Add(-time.Millisecond)) }
func (hasty) CloseWrite() error                { return nil }

func TestHandshakeTimeouts(t *testing.T) {
	cred := secured(t, "a secret of some length")
	for name, cred := range map[string]*Credentials{"plain": nil, "tls": cred} {
		t.Run("silent server "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				go acceptMute(t, p, nil) // ends with the connection
				start := time.Now()
				_, err := Dial(context.Background(), "", Config{Dial: p.dial, Credentials: cred}, nil)
				wantErr(t, err, context.DeadlineExceeded)
				if took := time.Since(start); took != DefaultHandshakeTimeout {
					t.Errorf("gave up after %v", took)
				}
			})
		})
		t.Run("silent client "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				logs := newLogged()
				serve(t, p, Config{Credentials: cred, Logger: logs.logger()}, echo)
				nc, err := p.dial(context.Background(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				start := time.Now()
				if _, err := nc.Read(make([]byte, 1)); err == nil {
					t.Error("it was spoken to")
				}
				if took := time.Since(start); took != DefaultHandshakeTimeout {
					t.Errorf("cut off after %v", took)
				}
			})
		})
	}
	// To the deadline, and no longer, whichever timer runs first: whoever dials to find
	// out whether somebody answers waits for it.
	t.Run("socket first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes()
			go acceptMute(t, p, nil) // ends with the connection
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := p.dial(ctx, network, addr)
				return hasty{nc}, err
			}
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := Dial(ctx, "", Config{Dial: dial}, nil)
			wantErr(t, err, context.DeadlineExceeded)
			if took := time.Since(start); took > 300*time.Millisecond {
				t.Errorf("gave up after %v", took)
			}
		})
	})
	t.Run("context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes()
			accepted := make(chan struct{})
			go acceptMute(t, p, accepted) // ends with the connection
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				<-accepted
				cancel()
			}()
			_, err := Dial(ctx, "", Config{Dial: p.dial}, nil)
			wantErr(t, err, context.Canceled)
		})
	})
}

func TestLogLimit(t *testing.T) {
	l := newLimitedLog(nil)
	now := time.Unix(1000, 0)
	admitted := 0
	for range 100 {
		if ok, _ := l.admit(aboutStrangers, now); ok {
			admitted++
		}
	}
	if admitted != logBurst {
		t.Errorf("%d lines at once, not %d", admitted, logBurst)
	}
	if ok, skipped := l.admit(aboutPeers, now); !ok || skipped != 0 {
		t.Error("strangers have silenced another topic")
	}
	now = now.Add(logEvery)
	if ok, skipped := l.admit(aboutStrangers, now); !ok || skipped != 100-logBurst {
		t.Errorf("a second later: %v, %d skipped", ok, skipped)
	}
	if ok, _ := l.admit(aboutStrangers, now); ok {
		t.Error("two lines after one second")
	}
}

package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// knows is the opening of a peer that answers keep-alives.
var knows = opening{maxFrame: DefaultMaxFrame, answers: true}

// swallow reads everything and says nothing, until the connection ends.
func swallow(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }

// silentPeer dials somebody who makes the handshake and then does with the
// connection what f does.
func silentPeer(t *testing.T, theirs opening, cfg Config, f func(net.Conn)) *Conn {
	t.Helper()
	p := newPipes()
	got := rawAccept(t, p, theirs)
	cfg.Dial = p.dial
	c, err := Dial(context.Background(), "", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	peer := <-got
	t.Cleanup(func() { _ = peer.Close() })
	go f(peer) // ends with the connection
	return c
}

// A connection from which nothing comes ends, whether something was asked or not.
func TestSilentPeer(t *testing.T) {
	for name, asks := range map[string]bool{"asked": true, "idle": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := silentPeer(t, knows, Config{}, swallow)
				begin := time.Now()
				if asks {
					_, err := c.Call(context.Background(), 1, nil, time.Minute)
					wantErr(t, err, ErrBroken, ErrSilent)
					if errors.Is(err, ErrNotSent) {
						t.Errorf("%v: what was sent may have been carried out", err)
					}
				}
				<-c.Done()
				wantErr(t, c.Err(), ErrSilent)
				if took := time.Since(begin); took < DefaultMaxSilence || took > DefaultMaxSilence+DefaultMaxSilence/4 {
					t.Errorf("ended after %v, not between %v and a quarter more", took, DefaultMaxSilence)
				}
			})
		})
	}
}

// The same where the peer does not read either.
func TestStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := silentPeer(t, knows, Config{}, func(net.Conn) {})
		begin := time.Now()
		_, err := c.Call(context.Background(), 1, nil, time.Minute)
		wantErr(t, err, ErrBroken, ErrSilent)
		if took := time.Since(begin); took > DefaultMaxSilence+DefaultMaxSilence/4 {
			t.Errorf("ended after %v", took)
		}
	})
}

// The accepting side notices too.
func TestSilentDialer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		serve(t, p, Config{}, echo)
		nc, err := p.dial(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		rawOpen(t, nc, knows)
		begin := time.Now()
		swallow(nc)
		if took := time.Since(begin); took < DefaultMaxSilence || took > DefaultMaxSilence+DefaultMaxSilence/4 {
			t.Errorf("ended after %v", took)
		}
	})
}

// A peer that has nothing to say for long, or takes long to answer, is not silent.
func TestQuietPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const long = time.Minute
		s := serve(t, newPipes(), Config{}, func(c *Conn, r Request) {
			go func() { // ends with the answer
				time.Sleep(long)
				_ = c.Reply(r.ID, nil)
			}()
		})
		c := dial(t, s, Config{}, nil)
		if _, err := c.Call(context.Background(), 1, nil, 2*long); err != nil {
			t.Error(err)
		}
		time.Sleep(long)
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
}

// A peer of a version that answers no keep-alives gets none and is not taken for
// silent.
func TestSilenceOfAnOldPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan int, 1)
		c := silentPeer(t, opening{maxFrame: DefaultMaxFrame}, Config{}, func(nc net.Conn) {
			n, _ := io.Copy(io.Discard, nc)
			got <- int(n)
		})
		time.Sleep(time.Minute)
		if err := c.Err(); err != nil {
			t.Error(err)
		}
		c.Close()
		if n := <-got; n != 0 {
			t.Errorf("%d bytes were sent to it", n)
		}
	})
}

// A handler that works for long keeps its connection from being read. What it
// does not read is not the peer's silence.
func TestSlowHandlerIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, newPipes(), Config{}, func(c *Conn, r Request) {
			time.Sleep(time.Minute)
			echo(c, r)
		})
		c := dial(t, s, Config{MaxSilence: time.Hour}, nil)
		if _, err := c.Call(context.Background(), 1, nil, 2*time.Minute); err != nil {
			t.Error(err)
		}
	})
}

// A way that is slow and still takes something is not silent, though the
// keep-alive waits for long behind what it takes.
func TestSlowWayIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := make(chan time.Duration, 1)
		begin := time.Now()
		c := silentPeer(t, knows, Config{}, func(nc net.Conn) {
			b := make([]byte, 64<<10)
			for range 10 << 20 / len(b) {
				time.Sleep(DefaultMaxSilence / 16)
				if _, err := io.ReadFull(nc, b); err != nil {
					return
				}
			}
			took <- time.Since(begin)
			swallow(nc)
		})
		if err := c.Send(1, make([]byte, 3<<20)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := c.Send(1, make([]byte, 7<<19)); err != nil {
				t.Fatal(err)
			}
		}
		<-c.Done()
		wantErr(t, c.Err(), ErrSilent)
		select {
		case d := <-took:
			if d < 5*DefaultMaxSilence {
				t.Errorf("that took only %v", d)
			}
		default:
			t.Errorf("ended after %v, before all was taken", time.Since(begin))
		}
	})
}

// Keep-alives are few: one in a silence of a quarter, and none where bytes come
// anyway.
func TestKeepAlivesAreFew(t *testing.T) {
	for name, test := range map[string]struct {
		busy  bool
		least int
		most  int
	}{
		"idle": {false, 58, 60}, // they and their answers take turns
		"busy": {true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := silentPeer(t, knows, Config{Kinds: []Kind{1}}, func(nc net.Conn) {
					if test.busy {
						go func() { // ends with the connection
							for {
								if _, err := nc.Write(appendFrame(nil, 0, typeOneWay, 1, nil)); err != nil {
									return
								}
								time.Sleep(DefaultMaxSilence / 10)
							}
						}()
					}
					b := make([]byte, headSize)
					for {
						if _, err := io.ReadFull(nc, b); err != nil {
							return
						}
						if b[8] != typeKeepAlive {
							t.Errorf("a frame % x", b)
						}
						asked++
						if _, err := nc.Write(appendFrame(nil, 0, typeAlive, 0, nil)); err != nil {
							return
						}
					}
				})
				time.Sleep(time.Minute)
				synctest.Wait()
				if asked < test.least || asked > test.most {
					t.Errorf("%d keep-alives in a minute, not %d to %d", asked, test.least, test.most)
				}
				c.Close()
				time.Sleep(DefaultMaxSilence) // the peer's writer wakes up
			})
		})
	}
}

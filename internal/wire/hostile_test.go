package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// cutOff waits until the peer has ended the connection.
func cutOff(t testing.TB, nc net.Conn) {
	t.Helper()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, nc); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Fatal("the connection was not cut off")
	}
}

func TestStrangers(t *testing.T) {
	cred := secured(t, secretA)
	random := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	good := (&opening{maxFrame: DefaultMaxFrame, hello: []byte("hi")}).append(nil)
	longHello := bytes.Clone(good)
	binary.BigEndian.PutUint16(longHello[openingHead+7:], 500)
	longOpening := bytes.Clone(good)
	binary.BigEndian.PutUint16(longOpening[len(magic):], openingMax+1)
	for _, test := range []struct {
		name string
		sent []byte
		says string // of a plain server
	}{
		{"random bytes", random, "not understood"},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), `with \"GET / HT\"`},
		{"half an opening", good[:12], "unexpected EOF"},
		{"a hello beyond its frame", longHello, "hello of 500 bytes in an opening frame of 11"},
		{"a long opening", longOpening, "opening frame of 4097 bytes"},
		{"no room for frames", (&opening{maxFrame: 10}).append(nil), "frames of 10 bytes only"},
	} {
		for name, cred := range map[string]*Credentials{"plain": nil, "tls": cred} {
			t.Run(test.name+" "+name, func(t *testing.T) {
				logs := newLogged()
				s := serve(t, nil, Config{Credentials: cred, Logger: logs.logger()}, func(*Conn, Request) {
					t.Error("it was served")
				})
				nc, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				_, _ = nc.Write(test.sent)
				_ = nc.(*net.TCPConn).CloseWrite()
				cutOff(t, nc)
				if cred == nil {
					logs.wait(t, test.says)
				} else {
					logs.wait(t, "level=WARN")
				}
			})
		}
	}
}

// Bytes that break the rules after a good handshake end the connection, and
// the others go on.
func TestBadFrames(t *testing.T) {
	request := appendRequest(nil, 1, 1, time.Second, make([]byte, 100))
	for _, test := range []struct {
		name string
		sent []byte
		says string
	}{
		{"too long", binary.BigEndian.AppendUint32(nil, 5<<20), "5242880 bytes, over the limit of 4194304"},
		{"truncated", request[:50], "inside a frame, after 50 of 114 bytes"},
		{"truncated length", request[:3], "inside a frame, after 3 of 4 bytes"},
		{"unknown type", appendFrame(nil, 1, 99, 1, nil), "frame type 99"},
		{"random", []byte("\x00\x00\x01\x00 and so on"), "frame type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			logs := newLogged()
			s := serve(t, nil, Config{Logger: logs.logger()}, echo)
			other := dial(t, s, Config{}, nil)
			nc := rawDial(t, s)
			if _, err := nc.Write(test.sent); err != nil {
				t.Fatal(err)
			}
			_ = nc.(*net.TCPConn).CloseWrite()
			cutOff(t, nc)
			logs.wait(t, test.says)
			if _, err := other.Call(context.Background(), 1, nil, patience); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A reply that ends early ends the call, and with the truth.
func TestTruncatedReply(t *testing.T) {
	for _, size := range []int{1000, 1 << 20} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		got := rawAccept(t, ln, opening{maxFrame: DefaultMaxFrame})
		c, err := Dial(context.Background(), ln.Addr().String(), Config{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		peer := <-got
		go func() { // ends with the connection
			_, _ = io.ReadFull(peer, make([]byte, headSize+timeoutSize))
			b := appendFrame(nil, 1, typeReply, 0, make([]byte, size))
			_, _ = peer.Write(b[:len(b)-1])
			_ = peer.Close()
		}()
		_, err = c.Call(context.Background(), 1, nil, patience)
		wantErr(t, err, ErrBroken, ErrProtocol)
		c.Close()
	}
}

// Later minor versions may add to the opening frame.
func TestOpeningGrows(t *testing.T) {
	s := serve(t, nil, Config{Hello: []byte("there")}, echo)
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	b := (&opening{version: Version{0, 9}, maxFrame: DefaultMaxFrame, hello: []byte("hi")}).append(nil)
	binary.BigEndian.PutUint16(b[len(magic):], uint16(len(b)-openingHead+5))
	b = append(b, "later"...)
	b = appendRequest(b, 5, 1, time.Second, []byte("body"))
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
	theirs, err := readOpening(nc, 0)
	if err != nil || string(theirs.hello) != "there" || theirs.maxFrame != DefaultMaxFrame {
		t.Fatalf("%+v, error %v", theirs, err)
	}
	want := appendFrame(nil, 5, typeReply, 0, []byte("body"))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("% x, error %v", got, err)
	}
}

// A frame that is announced and does not come costs only what has come.
func TestAnnouncedBytesCostNothing(t *testing.T) {
	set, err := newSettings(Config{MaxFrame: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	b := appendHead(nil, 1<<30, 1, typeRequest, 1)
	b = append(b, make([]byte, 10_000)...)
	c := newConn(set, echo, established{nc: &script{in: bytes.NewReader(b)}})
	in := inbox{buf: make([]byte, firstRead)}
	for err == nil {
		err = c.more(&in)
	}
	wantErr(t, err, ErrProtocol)
	if len(in.buf) > fullRead {
		t.Errorf("a buffer of %d bytes for %d that came", len(in.buf), len(b))
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add((&opening{maxFrame: DefaultMaxFrame, hello: []byte("hi")}).append(nil))
	f.Add((&opening{version: Version{1, 2}, maxFrame: DefaultMaxFrame}).append(nil))
	f.Add((&opening{refusal: wantsTLS}).append(nil))
	f.Add([]byte("peerwire\x00\x03\x00\x00\x00"))
	f.Add([]byte{tlsRecord, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3})
	cred, err := NewCredentials(secretA, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, cred := range []*Credentials{nil, cred} {
			set, err := newSettings(Config{Credentials: cred})
			if err != nil {
				t.Fatal(err)
			}
			for _, reserve := range []func() bool{nil, func() bool { return true }} {
				e, err := shake(&script{in: bytes.NewReader(b)}, set, time.Now().Add(time.Second), reserve)
				if err == nil && (cred != nil || e.peer.refusal != welcome || e.peer.version.Major != 0 || len(e.peer.hello) > openingMax) {
					t.Fatalf("accepted %+v", e.peer)
				}
			}
		}
	})
}

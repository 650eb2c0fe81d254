package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Computed with an independent HKDF (RFC 5869): extract with a zero salt, one
// step of expand.
func TestDeriveKey(t *testing.T) {
	got := DeriveKey("0123456789abcdef", "peercache gossip", 32)
	if want := independentHKDF("0123456789abcdef", "peercache gossip"); !bytes.Equal(got, want) {
		t.Errorf("%x, not %x", got, want)
	}
	if want := "b4d4dfe3"; hex.EncodeToString(got[:4]) != want {
		t.Errorf("the gossip key begins with %x, not %s: nodes of other builds have another one", got[:4], want)
	}
	if bytes.Equal(got, DeriveKey("0123456789abcdef", authorityLabel, 32)) {
		t.Error("labels make no difference")
	}
	for _, n := range []int{-1, 0, 8161} {
		if DeriveKey("0123456789abcdef", "x", n) != nil {
			t.Errorf("a key of %d bytes", n)
		}
	}
}

func TestSecretsAreChecked(t *testing.T) {
	_, err := NewCredentials("short", nil)
	if err == nil || err.Error() != "wire: secret: 5 bytes are fewer than 16" {
		t.Errorf("error %v", err)
	}
	_, err = NewCredentials(strings.Repeat("x", 16), []string{strings.Repeat("y", 16), "z"})
	if err == nil || err.Error() != "wire: old secret 2: 1 bytes are fewer than 16" {
		t.Errorf("error %v", err)
	}
}

// The authority must be the same on every node, byte for byte.
func TestAuthorityIsDeterministic(t *testing.T) {
	a, err := newAuthority("a secret of some length")
	if err != nil {
		t.Fatal(err)
	}
	b, err := newAuthority("a secret of some length")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.cert.Raw, b.cert.Raw) {
		t.Error("two authorities of one secret")
	}
	if got := a.cert.NotBefore.Year()*10000 + a.cert.NotAfter.Year(); got != 1970*10000+9999 {
		t.Errorf("valid from %v to %v", a.cert.NotBefore, a.cert.NotAfter)
	}
}

const (
	secretA = "the first secret of all"
	secretB = "the second secret of all"
	secretC = "the third secret of all"
)

func TestRotation(t *testing.T) {
	nodes := map[string]*Credentials{
		"A":     secured(t, secretA),
		"B+A":   secured(t, secretB, secretA),
		"B":     secured(t, secretB),
		"C+B+A": secured(t, secretC, secretB, secretA),
		"C":     secured(t, secretC, secretC),
	}
	for _, test := range []struct {
		a, b string
		talk bool
	}{
		{"A", "A", true},
		{"A", "B+A", true},
		{"B+A", "B", true},
		{"B+A", "B+A", true},
		{"B", "C+B+A", true},
		{"A", "C+B+A", true},
		{"C", "C+B+A", true},
		{"B+A", "C+B+A", true},
		{"A", "B", false},
		{"A", "C", false},
		{"B+A", "C", false},
	} {
		for _, way := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			t.Run(way[0]+" dials "+way[1], func(t *testing.T) {
				logs := newLogged()
				s := serve(t, nil, Config{Credentials: nodes[way[1]], Logger: logs.logger()}, echo)
				c, err := Dial(context.Background(), s.Addr().String(), Config{Credentials: nodes[way[0]]}, nil)
				if !test.talk {
					wantErr(t, err, ErrSecret)
					logs.wait(t, "secrets differ")
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := c.Call(context.Background(), 1, nil, patience); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestTLSAgainstPlain(t *testing.T) {
	cred := secured(t, secretA)
	for _, test := range []struct {
		name            string
		client, server  *Credentials
		atHere, atThere string
	}{
		{"plain dials TLS", nil, cred, "the peer speaks TLS", "the peer speaks without TLS"},
		{"TLS dials plain", cred, nil, "the peer speaks without TLS", "the peer speaks TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			there, here := newLogged(), newLogged()
			s := serve(t, nil, Config{Credentials: test.server, Logger: there.logger()}, echo)
			start := time.Now()
			_, err := Dial(context.Background(), s.Addr().String(), Config{Credentials: test.client, Logger: here.logger()}, nil)
			wantErr(t, err, ErrSecret)
			if took := time.Since(start); took >= DefaultHandshakeTimeout {
				t.Errorf("it took %v", took)
			}
			here.wait(t, test.atHere)
			there.wait(t, test.atThere)
		})
	}
}

// A clock that is wrong by centuries, as in a synctest bubble moved on, makes
// no difference.
func TestCertificatesKnowNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(200 * 365 * 24 * time.Hour) // virtual
		cfg := Config{Credentials: secured(t, secretA)}
		s := serve(t, newPipes(), cfg, echo)
		c := dial(t, s, cfg, nil)
		if _, err := c.Call(context.Background(), 1, nil, time.Second); err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
}

// Who has no certificate, or makes one, or comes with an older TLS, is refused.
func TestForeignTLS(t *testing.T) {
	cred := secured(t, secretA)
	for name, cfg := range map[string]*tls.Config{
		"no certificate": {InsecureSkipVerify: true},
		"TLS 1.2": {
			InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, Certificates: cred.config.Certificates,
		},
		"own authority": {InsecureSkipVerify: true, Certificates: secured(t, secretB).config.Certificates},
	} {
		t.Run(name, func(t *testing.T) {
			logs := newLogged()
			s := serve(t, nil, Config{Credentials: cred, Logger: logs.logger()}, func(*Conn, Request) {
				t.Error("it was served")
			})
			nc, err := tls.Dial("tcp", s.Addr().String(), cfg)
			if err == nil { // with TLS 1.3 the refusal comes with the first read
				b := appendFrame((&opening{maxFrame: DefaultMaxFrame}).append(nil), 0, typeOneWay, 1, nil)
				_, _ = nc.Write(b)
				_ = nc.SetReadDeadline(time.Now().Add(patience))
				_, err = nc.Read(make([]byte, 1))
				defer nc.Close()
			}
			var timeout net.Error
			if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("error %v", err)
			}
			logs.wait(t, "level=WARN")
		})
	}
}

func TestOtherVersion(t *testing.T) {
	cred := secured(t, secretA)
	for name, cred := range map[string]*Credentials{"plain": nil, "tls": cred} {
		t.Run(name, func(t *testing.T) {
			there, here := newLogged(), newLogged()
			s := serve(t, nil, Config{Credentials: cred, Protocol: Version{2, 5}, Logger: there.logger()}, echo)
			_, err := Dial(context.Background(), s.Addr().String(), Config{Credentials: cred, Protocol: Version{1, 9}, Logger: here.logger()}, nil)
			wantErr(t, err, ErrVersion)
			here.wait(t, "this side's is 1.9, the peer's is 2.5")
			there.wait(t, "this side's is 2.5, the peer's is 1.9")
		})
	}
}

package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// MinSecret is the least length of a secret, in bytes.
const MinSecret = 16

const authorityLabel = "peercache certificate authority"

// Certificates hold at all times: clocks may be wrong, or virtual.
var (
	validFrom  = time.Unix(0, 0).UTC()
	validUntil = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	atAnyTime  = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Credentials are what a node shows to others and accepts from them. They may
// be used for any number of connections.
//
// A secret gives a certificate authority, the same on every node. A node makes
// itself a certificate when it starts, signed by the authority of its secret,
// and accepts those of the authorities of all secrets that it knows. So that
// nodes which know only an old secret accept it too, it shows its authority's
// own certificate signed by each old one's.
type Credentials struct {
	config *tls.Config
	roots  *x509.CertPool
}

// DeriveKey makes a key of n bytes, at most 8160, from a secret (HKDF with
// SHA-256, no salt). Keys of different labels say nothing about each other. It
// returns nil for another n.
func DeriveKey(secret, label string, n int) []byte {
	if n <= 0 {
		return nil
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, label, n)
	if err != nil {
		return nil
	}
	return key
}

// NewCredentials makes a node's credentials from the secret and those that were
// in use before, each at least 16 bytes.
func NewCredentials(secret string, old []string) (*Credentials, error) {
	own, err := newAuthority(secret)
	if err != nil {
		return nil, fmt.Errorf("wire: secret: %w", err)
	}
	c := &Credentials{roots: x509.NewCertPool()}
	c.roots.AddCert(own.cert)
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("wire: making a key: %w", err)
	}
	leaf, err := own.sign(leafTemplate(), pub)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{leaf}
	for i, s := range old {
		a, err := newAuthority(s)
		if err != nil {
			return nil, fmt.Errorf("wire: old secret %d: %w", i+1, err)
		}
		if bytes.Equal(a.cert.Raw, own.cert.Raw) {
			continue
		}
		c.roots.AddCert(a.cert)
		cross, err := a.sign(own.template, own.cert.PublicKey)
		if err != nil {
			return nil, err
		}
		chain = append(chain, cross)
	}
	c.config = &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key}},
		ClientAuth:   tls.RequireAnyClientCert,
		// verify does it, by the authorities alone and not by name or time.
		InsecureSkipVerify:          true,
		VerifyConnection:            c.verify,
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true,
		Time:                        func() time.Time { return atAnyTime },
	}
	return c, nil
}

// verify accepts a peer whose certificate comes from an authority of ours.
func (c *Credentials) verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%w: the peer shows no certificate", ErrSecret)
	}
	between := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: between, CurrentTime: atAnyTime,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: the peer's certificate is not from one of ours: %w", ErrSecret, err)
	}
	return nil
}

// authority is the certificate authority of a secret. It is the same wherever
// it is made.
type authority struct {
	key      ed25519.PrivateKey
	template *x509.Certificate
	cert     *x509.Certificate
}

func newAuthority(secret string) (*authority, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("%d bytes are fewer than %d", len(secret), MinSecret)
	}
	seed := DeriveKey(secret, authorityLabel, ed25519.SeedSize)
	if seed == nil {
		return nil, errors.New("no key can be derived from it")
	}
	a := &authority{key: ed25519.NewKeyFromSeed(seed)}
	pub := a.key.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(pub)
	a.template = &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "peercache " + hex.EncodeToString(sum[:8])},
		SubjectKeyId:          sum[:20],
		NotBefore:             validFrom,
		NotAfter:              validUntil,
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	a.cert = a.template // to sign itself
	der, err := a.sign(a.template, pub)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return a, nil
}

func (a *authority) sign(template *x509.Certificate, pub any) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, pub, a.key)
	if err != nil {
		return nil, fmt.Errorf("wire: making a certificate: %w", err)
	}
	return der, nil
}

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(randomBytes(16)),
		Subject:      pkix.Name{CommonName: "peercache node"},
		NotBefore:    validFrom,
		NotAfter:     validUntil,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// A node is both, and either end asks for the first.
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // does not fail
	b[0] = b[0]&0x7f | 1
	return b
}

package wire

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// magic begins every connection. It cannot be taken for TLS, whose first byte
// is 22.
const magic = "peerwire"

const (
	openingHead = len(magic) + 2     // magic and length
	openingMin  = 1 + 1 + 1          // major, minor, refusal
	openingFull = openingMin + 4 + 2 // and the lengths
	openingMax  = 4 << 10            // after the head
	tlsRecord   = 22                 // a TLS handshake record begins so
)

// refusals
const (
	welcome byte = iota
	otherVersion
	wantsTLS
	noTLS
	tooMany
)

// opening is the first frame of each side.
type opening struct {
	version  Version
	refusal  byte
	maxFrame uint32
	hello    []byte
	answers  bool // keep-alives
}

// answersKeepAlives is a flag behind the hello. A peer that says nothing there
// knows of none.
const answersKeepAlives = 1

func (o *opening) append(b []byte) []byte {
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, uint16(openingFull+len(o.hello)+len(o.flags())))
	b = append(b, o.version.Major, o.version.Minor, o.refusal)
	b = binary.BigEndian.AppendUint32(b, o.maxFrame)
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.hello)))
	b = append(b, o.hello...)
	return append(b, o.flags()...)
}

func (o *opening) flags() []byte {
	if o.answers {
		return []byte{answersKeepAlives}
	}
	return nil
}

// openingSize checks the head of an opening frame and returns how long the rest
// is.
func openingSize(head []byte) (int, error) {
	if string(head[:len(magic)]) != magic {
		return 0, fmt.Errorf("%w: it does not begin as a peer would, but with %q", ErrProtocol, head[:len(magic)])
	}
	n := int(binary.BigEndian.Uint16(head[len(magic):]))
	if n < openingMin || n > openingMax {
		return 0, fmt.Errorf("%w: opening frame of %d bytes, not %d to %d", ErrProtocol, n, openingMin, openingMax)
	}
	return n, nil
}

// parseOpening reads what comes after the head. Of another major version it
// reads only what is the same in all.
func parseOpening(b []byte, major uint8) (opening, error) {
	o := opening{version: Version{b[0], b[1]}, refusal: b[2]}
	if o.version.Major != major || o.refusal != welcome {
		return o, nil
	}
	if len(b) < openingFull {
		return o, fmt.Errorf("%w: opening frame of %d bytes, shorter than %d", ErrProtocol, len(b), openingFull)
	}
	o.maxFrame = binary.BigEndian.Uint32(b[3:])
	n := int(binary.BigEndian.Uint16(b[7:]))
	if n > len(b)-openingFull {
		return o, fmt.Errorf("%w: hello of %d bytes in an opening frame of %d", ErrProtocol, n, len(b))
	}
	if o.maxFrame < MinMaxFrame {
		return o, fmt.Errorf("%w: peer takes frames of %d bytes only, not %d", ErrProtocol, o.maxFrame, MinMaxFrame)
	}
	o.hello = append([]byte(nil), b[openingFull:openingFull+n]...)
	if flags := b[openingFull+n:]; len(flags) > 0 {
		o.answers = flags[0]&answersKeepAlives != 0
	}
	return o, nil
}

func readOpening(r io.Reader, major uint8) (opening, error) {
	var head [openingHead]byte
	if n, err := io.ReadFull(r, head[:1]); n == 0 {
		return opening{}, fmt.Errorf("wire: opening frame: %w", err)
	}
	if head[0] == tlsRecord {
		return opening{}, errSpeaksTLS
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return opening{}, fmt.Errorf("wire: opening frame: %w", err)
	}
	n, err := openingSize(head[:])
	if err != nil {
		return opening{}, err
	}
	rest := make([]byte, n)
	if _, err := io.ReadFull(r, rest); err != nil {
		return opening{}, fmt.Errorf("wire: opening frame: %w", err)
	}
	return parseOpening(rest, major)
}

// The ways in which two sides fail to come together.
var (
	errSpeaksTLS   = fmt.Errorf("%w: the peer speaks TLS, so it has one, and this side has none", ErrSecret)
	errSpeaksPlain = fmt.Errorf("%w: the peer speaks without TLS, so it has none, and this side has one", ErrSecret)
	errFull        = errors.New("wire: there are too many connections")
	errRejected    = fmt.Errorf("%w: the peer does not accept this side's certificate", ErrSecret)
)

// established is a connection after its handshake.
type established struct {
	nc   net.Conn // the socket
	tls  *tls.Conn
	seal *sealed
	peer opening
}

func (e *established) stream() net.Conn {
	if e.tls != nil {
		return e.tls
	}
	return e.nc
}

// reader is stream for the connection's reader.
func (e *established) reader() io.Reader {
	if e.tls != nil {
		return e.tls
	}
	return readerOf(e.nc)
}

// shake makes the handshake, within the time given. The accepting side has a
// function that reserves a place when all is well but for that. In case of an
// error the caller closes nc.
func shake(nc net.Conn, set *settings, until time.Time, reserve func() bool) (established, error) {
	dialing := reserve == nil
	e := established{nc: nc}
	if err := nc.SetDeadline(until); err != nil {
		return e, fmt.Errorf("wire: %w", err)
	}
	if err := e.encrypt(set, dialing); err != nil {
		return e, err
	}
	mine := opening{version: set.Protocol, maxFrame: uint32(set.MaxFrame), hello: set.Hello, answers: true}
	var err error
	if dialing {
		err = e.open(set, &mine)
	} else {
		err = e.answer(set, &mine, reserve)
	}
	if err != nil {
		return e, err
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return e, fmt.Errorf("wire: %w", err)
	}
	if e.seal != nil {
		e.seal.keep()
	}
	return e, nil
}

func (e *established) encrypt(set *settings, dialing bool) error {
	if set.Credentials == nil {
		return nil
	}
	e.seal = &sealed{Conn: e.nc, from: readerOf(e.nc)}
	if dialing {
		e.tls = tls.Client(e.seal, set.Credentials.config)
	} else {
		e.tls = tls.Server(e.seal, set.Credentials.config)
	}
	err := e.tls.Handshake()
	var header tls.RecordHeaderError
	if errors.As(err, &header) && string(header.RecordHeader[:]) == magic[:len(header.RecordHeader)] {
		if !dialing {
			refuse(e.nc, wantsTLS, set)
		}
		return errSpeaksPlain
	}
	return explain(err)
}

// explain finds the words for what TLS says.
func explain(err error) error {
	var op *net.OpError
	switch {
	case err == nil || errors.Is(err, ErrSecret):
		return err
	case errors.As(err, &op) && op.Op == "remote error":
		// tls.AlertError is not what a TCP connection gives, so it is known by
		// its text only.
		return fmt.Errorf("%w: %w", errRejected, err)
	}
	return fmt.Errorf("wire: TLS: %w", err)
}

// open is the dialing side's part.
func (e *established) open(set *settings, mine *opening) error {
	if _, err := e.stream().Write(mine.append(nil)); err != nil {
		return explainOpening(err)
	}
	var err error
	if e.peer, err = readOpening(e.stream(), set.Protocol.Major); err != nil {
		return explainOpening(err)
	}
	switch {
	case e.peer.refusal == wantsTLS:
		return errSpeaksTLS
	case e.peer.refusal == noTLS:
		return errSpeaksPlain
	case e.peer.version.Major != set.Protocol.Major || e.peer.refusal == otherVersion:
		return differs(set.Protocol, e.peer.version)
	case e.peer.refusal == tooMany:
		return fmt.Errorf("%w: the peer has too many connections", ErrOverloaded)
	case e.peer.refusal != welcome:
		return fmt.Errorf("%w: the peer refused with %d", ErrProtocol, e.peer.refusal)
	}
	return nil
}

// explainOpening: with TLS 1.3 the dialing side is through before the other
// has looked at its certificate.
func explainOpening(err error) error {
	if e := explain(err); errors.Is(e, ErrSecret) {
		return e
	}
	return err
}

// answer is the accepting side's part.
func (e *established) answer(set *settings, mine *opening, reserve func() bool) error {
	var err error
	e.peer, err = readOpening(e.stream(), set.Protocol.Major)
	if errors.Is(err, errSpeaksTLS) {
		refuse(e.nc, noTLS, set)
		return err
	}
	if err != nil {
		return explainOpening(err)
	}
	if e.peer.version.Major != set.Protocol.Major {
		refuse(e.stream(), otherVersion, set)
		return differs(set.Protocol, e.peer.version)
	}
	if e.peer.refusal != welcome {
		return fmt.Errorf("%w: the dialing peer refuses with %d", ErrProtocol, e.peer.refusal)
	}
	if !reserve() {
		refuse(e.stream(), tooMany, set)
		return errFull
	}
	mine.answers = e.peer.answers // who has not said so hears what peers of his time said
	_, err = e.stream().Write(mine.append(nil))
	return err
}

func differs(mine, theirs Version) error {
	return fmt.Errorf("%w: this side's is %v, the peer's is %v", ErrVersion, mine, theirs)
}

// refuse tells the peer why its connection ends.
func refuse(to net.Conn, why byte, set *settings) {
	o := opening{version: set.Protocol, refusal: why, maxFrame: uint32(set.MaxFrame)}
	_, _ = to.Write(o.append(nil)) // it ends in any case
}

const (
	partFor   = time.Second
	partBytes = 64 << 10
)

// parting lets a refused peer hear why: to close a TCP connection while there
// is something to read from it takes back what was said last. A silent one was told
// nothing.
func parting(nc net.Conn, why error) {
	if errors.Is(why, os.ErrDeadlineExceeded) {
		return
	}
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || nc.SetReadDeadline(time.Now().Add(partFor)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, nc, partBytes) // until the peer has closed, mostly
}

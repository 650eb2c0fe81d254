package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

const (
	typeRequest byte = 1
	typeOneWay  byte = 2
	typeReply   byte = 3
	typeFailure byte = 4
	// The next two are for peers whose opening frame says that they know them.
	typeKeepAlive byte = 5
	typeAlive     byte = 6
)

const (
	lengthSize  = 4              // the length field, which does not count itself
	headSize    = lengthSize + 6 // up to the body, or the timeout
	timeoutSize = 4              // of a request
	minLength   = headSize - lengthSize
	maxMessage  = MinMaxFrame - 64 // bytes of a failure's text: it always fits
)

// frame is one frame, taken apart. The body shares the bytes that it came in.
type frame struct {
	id      uint32
	typ     byte
	kind    byte
	timeout time.Duration
	body    []byte
}

// parseFrame takes the first frame off b and returns its size, or 0 if it is
// not all there. Limit is the greatest length allowed.
func parseFrame(b []byte, limit int) (f frame, size int, err error) {
	if len(b) < lengthSize {
		return f, 0, nil
	}
	length := int64(binary.BigEndian.Uint32(b))
	if length > int64(limit) {
		return f, 0, tooLong(int(length), limit)
	}
	if length < minLength {
		return f, 0, fmt.Errorf("%w: frame of %d bytes is shorter than its header", ErrProtocol, length)
	}
	if len(b) < headSize {
		return f, 0, nil
	}
	f.id, f.typ, f.kind = binary.BigEndian.Uint32(b[4:]), b[8], b[9]
	start := headSize
	switch f.typ {
	case typeRequest:
		start += timeoutSize
		if length < minLength+timeoutSize {
			return f, 0, fmt.Errorf("%w: request of %d bytes is shorter than its header", ErrProtocol, length)
		}
	case typeOneWay, typeReply, typeFailure, typeKeepAlive, typeAlive:
	default:
		return f, 0, fmt.Errorf("%w: frame type %d", ErrProtocol, f.typ)
	}
	if (f.id == 0) != (f.typ != typeRequest && f.typ != typeReply && f.typ != typeFailure) {
		return f, 0, fmt.Errorf("%w: frame of type %d with id %d", ErrProtocol, f.typ, f.id)
	}
	size = lengthSize + int(length)
	if len(b) < size {
		return f, 0, nil
	}
	if f.typ == typeRequest {
		f.timeout = time.Duration(binary.BigEndian.Uint32(b[headSize:])) * time.Microsecond
	}
	f.body = b[start:size:size]
	return f, size, nil
}

// frameSize is the size of the frame that begins b, or 0 if b does not say it.
func frameSize(b []byte) int {
	if len(b) < lengthSize {
		return 0
	}
	return lengthSize + int(binary.BigEndian.Uint32(b))
}

func appendHead(b []byte, length int, id uint32, typ, kind byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b = binary.BigEndian.AppendUint32(b, id)
	return append(b, typ, kind)
}

func appendRequest(b []byte, id uint32, kind Kind, timeout time.Duration, body []byte) []byte {
	b = appendHead(b, minLength+timeoutSize+len(body), id, typeRequest, byte(kind))
	b = binary.BigEndian.AppendUint32(b, microseconds(timeout))
	return append(b, body...)
}

func appendFrame(b []byte, id uint32, typ, kind byte, body []byte) []byte {
	return append(appendHead(b, minLength+len(body), id, typ, kind), body...)
}

// microseconds rounds up, so that a positive timeout does not turn into none.
func microseconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/time.Microsecond+1, math.MaxUint32))
}

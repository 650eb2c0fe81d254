package cluster

import (
	"encoding/json"
	"fmt"
	"unsafe"
)

// Codec turns values into bytes and back. Its methods are called from many
// goroutines at the same time. Decode must not keep b, nor change it.
type Codec[V any] interface {
	// Append appends the encoded value to dst.
	Append(dst []byte, v V) ([]byte, error)
	Decode(b []byte) (V, error)
}

type jsonCodec[V any] struct{}

func (jsonCodec[V]) Append(dst []byte, v V) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("cluster: encoding: %w", err)
	}
	return append(dst, b...), nil
}

func (jsonCodec[V]) Decode(b []byte) (V, error) {
	var v V
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("cluster: decoding: %w", err)
	}
	return v, nil
}

// passThrough returns how bytes become a V without decoding, where V is []byte
// or string. The result shares the bytes, which never change.
func passThrough[V any]() (decode func([]byte) V, encode func(V) []byte) {
	var d, e any
	switch any(*new(V)).(type) {
	case []byte:
		d = func(b []byte) []byte { return b }
		e = func(v []byte) []byte { return append(make([]byte, 0, len(v)), v...) }
	case string:
		d = func(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
		e = func(v string) []byte { return []byte(v) }
	default:
		return nil, nil
	}
	decode, _ = d.(func([]byte) V)
	encode, _ = e.(func(V) []byte)
	return decode, encode
}

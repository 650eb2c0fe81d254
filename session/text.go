package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// This file knows JSON text: it takes apart what encoding/json has found to be
// valid and compact, and writes as JavaScript's JSON.stringify does.

var errNotUTF8 = errors.New("session: JSON is not UTF-8")

// compact returns b without its white space, in memory of its own, or an error
// if it is not one valid JSON value. What the functions below are given comes
// from here.
func compact(b []byte) ([]byte, error) {
	if !utf8.Valid(b) {
		return nil, errNotUTF8
	}
	var out bytes.Buffer
	out.Grow(len(b))
	if err := json.Compact(&out, b); err != nil {
		return nil, fmt.Errorf("session: not JSON: %w", err)
	}
	return out.Bytes(), nil
}

// public gives an error of this package its prefix.
func public(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session: %w", err)
}

func isNull(raw []byte) bool { return raw[0] == 'n' }

func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

// kindOf names the kind of a JSON value for an error.
func kindOf(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// members calls f with each name, quoted as it stands there, and value of an
// object, in order.
func members(raw []byte, f func(name, value []byte) error) error {
	if raw[0] != '{' {
		return errors.New("want an object, not " + kindOf(raw))
	}
	for i := 1; raw[i] != '}'; {
		if raw[i] == ',' {
			i++
		}
		colon := end(raw, i)
		next := end(raw, colon+1)
		if err := f(raw[i:colon], raw[colon+1:next]); err != nil {
			return err
		}
		i = next
	}
	return nil
}

// elements calls f with each element of a list, in order.
func elements(raw []byte, f func(value []byte) error) error {
	if raw[0] != '[' {
		return errors.New("want a list, not " + kindOf(raw))
	}
	for i := 1; raw[i] != ']'; {
		if raw[i] == ',' {
			i++
		}
		next := end(raw, i)
		if err := f(raw[i:next]); err != nil {
			return err
		}
		i = next
	}
	return nil
}

// end returns the index behind the value that starts at i.
func end(raw []byte, i int) int {
	depth := 0
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			// In a literal or a number, or between two values of a nested
			// one: at the end only if what follows is no part of it.
			if i+1 < len(raw) && !endsLiteral(raw[i+1]) {
				continue
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(raw)
}

func endsLiteral(c byte) bool { return c == ',' || c == '}' || c == ']' }

func unquote(raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", errors.New("want a string, not " + kindOf(raw))
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

func parseNumber(raw []byte) (float64, error) {
	if !isNumber(raw) {
		return 0, errors.New("want a number, not " + kindOf(raw))
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, errors.New("number is out of range")
	}
	return f, nil
}

func parseBool(raw []byte) (bool, error) {
	if raw[0] != 't' && raw[0] != 'f' {
		return false, errors.New("want a boolean, not " + kindOf(raw))
	}
	return raw[0] == 't', nil
}

// appendString differs from encoding/json in that it leaves <, >, & and the
// line separators alone, as JSON.stringify does.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r) // U+FFFD for what is not UTF-8
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			dst = append(dst, c)
			continue
		}
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

func appendNumber(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%v is no number in JSON", f)
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 || f == 0 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
	}
	b, err := json.Marshal(f) // its exponents are those of ECMAScript
	return append(dst, b...), err
}

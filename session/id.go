package session

import (
	"errors"
	"strconv"
)

// ID is an identifier that is a string or a number, as the shop's database has
// it. A number keeps the digits it was written with, however many they are, so
// the numbers 1 and 1.0 are different IDs, and neither is the string "1".
//
// The zero ID is an absent one. IDs can be compared with ==.
type ID struct {
	kind idKind
	text string // of a number: as in JSON
}

type idKind uint8

const (
	absentID idKind = iota
	nullID
	stringID
	numberID
)

// StringID returns the ID that is the string s.
func StringID(s string) ID { return ID{stringID, s} }

// NumberID returns the ID that is the number n.
func NumberID(n int64) ID { return ID{numberID, strconv.FormatInt(n, 10)} }

// NullID returns the ID that is written as null, where the zero ID is not
// written at all.
func NullID() ID { return ID{kind: nullID} }

// String returns the string, or the digits of the number, or "" if there is
// neither.
func (id ID) String() string { return id.text }

// IsNumber reports whether the ID is a number.
func (id ID) IsNumber() bool { return id.kind == numberID }

// IsNull reports whether the ID is null. An absent one is not.
func (id ID) IsNull() bool { return id.kind == nullID }

// IsZero reports whether the ID is absent. With the JSON option omitzero, it
// is then not written.
func (id ID) IsZero() bool { return id.kind == absentID }

// MarshalJSON writes the ID. An absent one that has to be written is null.
func (id ID) MarshalJSON() ([]byte, error) { return id.append(nil), nil }

// UnmarshalJSON reads a string, a number or null.
func (id *ID) UnmarshalJSON(b []byte) error {
	doc, err := compact(b)
	if err != nil {
		return err
	}
	return public(id.decode(doc))
}

func (id ID) append(dst []byte) []byte {
	switch id.kind {
	case stringID:
		return appendString(dst, id.text)
	case numberID:
		return append(dst, id.text...)
	}
	return append(dst, "null"...)
}

func (id *ID) decode(raw []byte) error {
	switch c := raw[0]; {
	case c == 'n':
		*id = NullID()
	case c == '"':
		s, err := unquote(raw)
		if err != nil {
			return err
		}
		*id = StringID(s)
	case isNumber(raw):
		*id = ID{numberID, string(raw)}
	default:
		return errors.New("want a string or a number, not " + kindOf(raw))
	}
	return nil
}

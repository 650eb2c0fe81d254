package session

import "fmt"

// An object is what this package knows about a type's JSON: its fields, in the
// order in which the shop writes them. Any other field, any other order and any
// other spelling of a value is remembered in the shape that decode returns, and
// written again by append. What the shop itself writes needs no shape.
type object[T any] []field[T]

type field[T any] struct {
	name     string
	required bool // written even when it is zero
	nullable bool // decode takes null
	zero     func(v *T) bool
	append   func(dst []byte, v *T) ([]byte, error)
	decode   func(v *T, raw []byte) error
}

// A shape is the order and spelling of an object that was read. Nil is the
// ordinary one: the required fields and those that are not zero. It is never
// changed, so copies of a value share it.
type shape []member

type member struct {
	field int    // index in the object, or unknown
	name  string // of an unknown field, quoted as it was written
	raw   string // the value as it was written, or "" where append does the same
}

const unknown = -1

// decode reads compact JSON into v, which is zero. A field given twice is
// refused, since readers differ in which of the two they take.
func (o object[T]) decode(v *T, raw []byte) (shape, error) {
	sh := make(shape, 0, len(o))
	err := members(raw, func(quoted, value []byte) error {
		name, err := unquote(quoted)
		if err != nil {
			return err
		}
		i := o.index(name)
		if i == unknown {
			sh = append(sh, member{unknown, string(quoted), string(value)})
			return nil
		}
		for _, m := range sh {
			if m.field == i {
				return fmt.Errorf("%s is given twice", name)
			}
		}
		m := member{field: i}
		f := o[i]
		if err := f.set(v, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		omitted := !f.required && f.zero(v)
		if written, err := f.append(nil, v); err != nil || omitted || string(written) != string(value) {
			m.raw = string(value)
		}
		sh = append(sh, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if o.ordinary(v, sh) {
		return nil, nil
	}
	return sh, nil
}

func (o object[T]) index(name string) int {
	for i := range o {
		if o[i].name == name {
			return i
		}
	}
	return unknown
}

// set decodes one value. Null leaves a field that has no null of its own at
// zero; that it was there is for the shape to remember.
func (f field[T]) set(v *T, raw []byte) error {
	if isNull(raw) && !f.nullable {
		return nil
	}
	return f.decode(v, raw)
}

func (o object[T]) ordinary(v *T, sh shape) bool {
	n := 0
	for i, f := range o {
		if !f.required && f.zero(v) {
			continue
		}
		if n >= len(sh) || sh[n].field != i || sh[n].raw != "" {
			return false
		}
		n++
	}
	return n == len(sh)
}

// append writes v in the shape in which it was read. Fields that have been
// changed since are written in their old place with their new value.
func (o object[T]) append(dst []byte, v *T, sh shape) ([]byte, error) {
	dst = append(dst, '{')
	start := len(dst)
	var err error
	write := func(i int) {
		if err != nil {
			return
		}
		dst = appendName(dst, start, `"`+o[i].name+`"`)
		if dst, err = o[i].append(dst, v); err != nil {
			err = fmt.Errorf("%s: %w", o[i].name, err)
		}
	}
	var done uint // a bit for each field; no object has more than a few
	for _, m := range sh {
		if m.field == unknown {
			dst = append(appendName(dst, start, m.name), m.raw...)
			continue
		}
		done |= 1 << m.field
		f := o[m.field]
		switch {
		case m.raw != "" && f.unchanged(v, m.raw):
			dst = append(appendName(dst, start, `"`+f.name+`"`), m.raw...)
		case f.required || !f.zero(v):
			write(m.field)
		}
	}
	for i, f := range o {
		if done&(1<<i) == 0 && (sh == nil && f.required || !f.zero(v)) {
			write(i)
		}
	}
	return append(dst, '}'), err
}

func appendName(dst []byte, start int, quoted string) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return append(append(dst, quoted...), ':')
}

// unchanged reports whether v's field is still what was read from raw.
func (f field[T]) unchanged(v *T, raw string) bool {
	var was T
	if err := f.set(&was, []byte(raw)); err != nil || f.zero(&was) != f.zero(v) {
		return false
	}
	a, errA := f.append(nil, &was)
	b, errB := f.append(nil, v)
	return errA == nil && errB == nil && string(a) == string(b)
}

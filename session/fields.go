package session

import (
	"fmt"
	"time"
)

func (s *CachedSession) decode(raw []byte) (err error) {
	s.shape, err = sessionObject.decode(s, raw)
	return err
}

func (u *CachedSessionUser) decode(raw []byte) (err error) {
	u.shape, err = userObject.decode(u, raw)
	return err
}

func (c *ChannelPermissions) decode(raw []byte) (err error) {
	c.shape, err = channelObject.decode(c, raw)
	return err
}

// The fields of each type, in the order in which the shop writes them.

var sessionObject = object[CachedSession]{
	numberField("cacheExpiry", func(s *CachedSession) *float64 { return &s.CacheExpiry }),
	idField("id", func(s *CachedSession) *ID { return &s.ID }),
	required(stringField("token", func(s *CachedSession) *string { return &s.Token })),
	dateField("expires", func(s *CachedSession) *time.Time { return &s.Expires }),
	idField("activeOrderId", func(s *CachedSession) *ID { return &s.ActiveOrderID }),
	idField("activeChannelId", func(s *CachedSession) *ID { return &s.ActiveChannelID }),
	stringField("authenticationStrategy", func(s *CachedSession) *string { return &s.AuthenticationStrategy }),
	{
		name: "user",
		zero: func(s *CachedSession) bool { return s.User == nil },
		append: func(dst []byte, s *CachedSession) ([]byte, error) {
			if s.User == nil {
				return append(dst, "null"...), nil
			}
			return userObject.append(dst, s.User, s.User.shape)
		},
		decode: func(s *CachedSession, raw []byte) error {
			s.User = new(CachedSessionUser)
			return s.User.decode(raw)
		},
	},
}

var userObject = object[CachedSessionUser]{
	idField("id", func(u *CachedSessionUser) *ID { return &u.ID }),
	required(stringField("identifier", func(u *CachedSessionUser) *string { return &u.Identifier })),
	{
		name:     "verified",
		required: true,
		zero:     func(u *CachedSessionUser) bool { return !u.Verified },
		append: func(dst []byte, u *CachedSessionUser) ([]byte, error) {
			return fmt.Append(dst, u.Verified), nil
		},
		decode: func(u *CachedSessionUser, raw []byte) (err error) {
			u.Verified, err = parseBool(raw)
			return err
		},
	},
	listField("channelPermissions",
		func(u *CachedSessionUser) *[]ChannelPermissions { return &u.ChannelPermissions },
		func(dst []byte, c *ChannelPermissions) ([]byte, error) {
			return channelObject.append(dst, c, c.shape)
		},
		(*ChannelPermissions).decode),
}

var channelObject = object[ChannelPermissions]{
	idField("id", func(c *ChannelPermissions) *ID { return &c.ID }),
	required(stringField("token", func(c *ChannelPermissions) *string { return &c.Token })),
	required(stringField("code", func(c *ChannelPermissions) *string { return &c.Code })),
	listField("permissions",
		func(c *ChannelPermissions) *[]string { return &c.Permissions },
		func(dst []byte, s *string) ([]byte, error) { return appendString(dst, *s), nil },
		func(s *string, raw []byte) (err error) {
			*s, err = unquote(raw)
			return err
		}),
}

func required[T any](f field[T]) field[T] {
	f.required = true
	return f
}

func numberField[T any](name string, at func(*T) *float64) field[T] {
	return field[T]{
		name:     name,
		required: true,
		zero:     func(v *T) bool { return *at(v) == 0 },
		append:   func(dst []byte, v *T) ([]byte, error) { return appendNumber(dst, *at(v)) },
		decode: func(v *T, raw []byte) (err error) {
			*at(v), err = parseNumber(raw)
			return err
		},
	}
}

func idField[T any](name string, at func(*T) *ID) field[T] {
	return field[T]{
		name:     name,
		nullable: true,
		zero:     func(v *T) bool { return at(v).IsZero() },
		append:   func(dst []byte, v *T) ([]byte, error) { return at(v).append(dst), nil },
		decode:   func(v *T, raw []byte) error { return at(v).decode(raw) },
	}
}

func stringField[T any](name string, at func(*T) *string) field[T] {
	return field[T]{
		name:   name,
		zero:   func(v *T) bool { return *at(v) == "" },
		append: func(dst []byte, v *T) ([]byte, error) { return appendString(dst, *at(v)), nil },
		decode: func(v *T, raw []byte) (err error) {
			*at(v), err = unquote(raw)
			return err
		},
	}
}

func dateField[T any](name string, at func(*T) *time.Time) field[T] {
	return field[T]{
		name:   name,
		zero:   func(v *T) bool { return at(v).IsZero() },
		append: func(dst []byte, v *T) ([]byte, error) { return appendDate(dst, *at(v)) },
		decode: func(v *T, raw []byte) error {
			s, err := unquote(raw)
			if err != nil {
				return err
			}
			*at(v), err = parseDate(s)
			return err
		},
	}
}

// listField is always written, nil as an empty list: the shop walks over it
// without a look.
func listField[T, E any](
	name string, at func(*T) *[]E,
	appendOne func([]byte, *E) ([]byte, error), decodeOne func(*E, []byte) error,
) field[T] {
	return field[T]{
		name:     name,
		required: true,
		zero:     func(v *T) bool { return len(*at(v)) == 0 },
		append: func(dst []byte, v *T) (_ []byte, err error) {
			dst = append(dst, '[')
			for i := range *at(v) {
				if i > 0 {
					dst = append(dst, ',')
				}
				if dst, err = appendOne(dst, &(*at(v))[i]); err != nil {
					return dst, fmt.Errorf("%d: %w", i, err)
				}
			}
			return append(dst, ']'), nil
		},
		decode: func(v *T, raw []byte) error {
			var list []E
			err := elements(raw, func(value []byte) error {
				var e E
				if !isNull(value) { // the list's own spelling is kept
					if err := decodeOne(&e, value); err != nil {
						return fmt.Errorf("%d: %w", len(list), err)
					}
				}
				list = append(list, e)
				return nil
			})
			*at(v) = list
			return err
		},
	}
}

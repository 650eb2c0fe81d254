package session

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// CachedSession is one session as the shop caches it.
//
// Its JSON is the shop's. A field that was not in the JSON is zero here, and
// so is one that was null, except an ID; what was read is nevertheless written
// back as it was. In a session made in Go, a zero field is not written, unless
// the shop always writes it. MarshalJSON returns exactly what the shop's own
// JSON.stringify would; json.Marshal then escapes <, > and & in it.
type CachedSession struct {
	CacheExpiry            float64 // seconds since 1970, when this copy is stale
	ID                     ID
	Token                  string
	Expires                time.Time // written in milliseconds; zero: never
	ActiveOrderID          ID
	ActiveChannelID        ID
	AuthenticationStrategy string
	User                   *CachedSessionUser // nil: nobody has signed in

	shape shape
}

// CachedSessionUser is who has signed in. It keeps its JSON as CachedSession
// does.
type CachedSessionUser struct {
	ID                 ID
	Identifier         string
	Verified           bool
	ChannelPermissions []ChannelPermissions

	shape shape
}

// ChannelPermissions is what a user may do in one channel. It keeps its JSON
// as CachedSession does.
type ChannelPermissions struct {
	ID          ID
	Token       string
	Code        string
	Permissions []string

	shape shape
}

// Expired reports whether the session has ended at now. One that has no
// Expires never does.
func (s CachedSession) Expired(now time.Time) bool {
	return !s.Expires.IsZero() && s.Expires.Before(now)
}

// Stale reports whether this copy has to be read from the database again.
func (s CachedSession) Stale(now time.Time) bool {
	return s.CacheExpiry < float64(now.UnixMilli())/1000
}

// Clone returns a copy that shares nothing that can be changed.
func (s CachedSession) Clone() CachedSession {
	if s.User == nil {
		return s
	}
	u := *s.User
	u.ChannelPermissions = slices.Clone(u.ChannelPermissions)
	for i := range u.ChannelPermissions {
		c := &u.ChannelPermissions[i]
		c.Permissions = slices.Clone(c.Permissions)
	}
	s.User = &u
	return s
}

// MarshalJSON writes the session as the shop does.
func (s CachedSession) MarshalJSON() ([]byte, error) { return s.appendJSON(nil) }

// UnmarshalJSON reads a session that the shop wrote. It does not keep what s
// was before.
func (s *CachedSession) UnmarshalJSON(b []byte) error {
	return parse(b, s, (*CachedSession).decode)
}

// MarshalJSON writes the user as the shop does.
func (u CachedSessionUser) MarshalJSON() ([]byte, error) {
	b, err := userObject.append(nil, &u, u.shape)
	return b, public(err)
}

// UnmarshalJSON reads a user that the shop wrote.
func (u *CachedSessionUser) UnmarshalJSON(b []byte) error {
	return parse(b, u, (*CachedSessionUser).decode)
}

// MarshalJSON writes the permissions as the shop does.
func (c ChannelPermissions) MarshalJSON() ([]byte, error) {
	b, err := channelObject.append(nil, &c, c.shape)
	return b, public(err)
}

// UnmarshalJSON reads permissions that the shop wrote.
func (c *ChannelPermissions) UnmarshalJSON(b []byte) error {
	return parse(b, c, (*ChannelPermissions).decode)
}

// errNotWritten says that a session holds what JSON has no word for.
var errNotWritten = errors.New("session: cannot be written as JSON")

func (s CachedSession) appendJSON(dst []byte) ([]byte, error) {
	dst, err := sessionObject.append(dst, &s, s.shape)
	if err != nil {
		return dst, fmt.Errorf("%w: %w", errNotWritten, err)
	}
	return dst, nil
}

func parse[T any](b []byte, v *T, decode func(*T, []byte) error) error {
	doc, err := compact(b)
	if err != nil {
		return err
	}
	if isNull(doc) { // by the convention of json.Unmarshaler
		return nil
	}
	var read T
	if err := decode(&read, doc); err != nil {
		return public(err)
	}
	*v = read
	return nil
}

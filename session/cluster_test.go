package session

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a store in a map. It keeps bytes, as a cluster does, and fails when
// it is told to.
type fake struct {
	mu      sync.Mutex // guards all below
	entries map[string][]byte
	ttls    map[string]time.Duration
	err     error
}

func (f *fake) lookup(_ context.Context, token string) (s CachedSession, from string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return s, "", f.err
	}
	b, ok := f.entries[token]
	if !ok {
		return s, "none", ErrNotFound
	}
	return s, "owned", s.UnmarshalJSON(b)
}

func (f *fake) set(_ context.Context, s CachedSession, ttl time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	b, err := s.appendJSON(nil)
	if err != nil {
		return err
	}
	if f.entries == nil {
		f.entries, f.ttls = map[string][]byte{}, map[string]time.Duration{}
	}
	f.entries[s.Token], f.ttls[s.Token] = b, ttl
	return nil
}

func (f *fake) delete(_ context.Context, token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.entries, token)
	return f.err
}

func (f *fake) clear(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.entries)
	return f.err
}

func TestClusterFailures(t *testing.T) {
	const token = "c7c6749edafb618fc53e24725781eb37"
	down := errors.New("down")
	var log bytes.Buffer
	st := &fake{err: down}
	c := over(st, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}.withDefaults())
	ctx := context.Background()
	s := CachedSession{Token: token}

	if err := c.Set(ctx, s); err != nil {
		t.Errorf("Set: %v", err)
	}
	mustMiss(t, c, token)
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || strings.Count(log.String(), "down") != 2 {
		t.Errorf("logged %d failures: %s", n, log.String())
	}
	if strings.Contains(log.String(), token) {
		t.Errorf("the token is logged: %s", log.String())
	}
	log.Reset()
	_, _, lookup := c.Lookup(ctx, token)
	for call, err := range map[string]error{
		"set": c.Store(ctx, s), "get": lookup, "delete": c.Delete(ctx, token), "clear": c.Clear(ctx),
	} {
		if !errors.Is(err, down) || !strings.HasPrefix(err.Error(), "session: "+call+": ") {
			t.Errorf("%s: error %v", call, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_ = c.Set(cancelled, s)
	if log.Len() > 0 {
		t.Errorf("logged though returned, or given up by the caller: %s", log.String())
	}
}

func TestClusterRefusesWhatIsNoJSON(t *testing.T) {
	c := over(&fake{}, Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults())
	nan := CachedSession{Token: "t", Expires: time.Now().AddDate(1e6, 0, 0)}
	err := c.Set(context.Background(), nan)
	if !errors.Is(err, errNotWritten) || !strings.Contains(err.Error(), "expires: year") {
		t.Errorf("error %v", err)
	}
}

func TestClusterTimeToLive(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	for _, c := range []struct {
		name    string
		ttl     time.Duration
		expires time.Time
		want    time.Duration
		kept    bool
	}{
		{"default", 0, time.Time{}, 24 * time.Hour, true},
		{"ends later", 0, now.AddDate(1, 0, 0), 24 * time.Hour, true},
		{"ends earlier", 0, now.Add(time.Hour), time.Hour, true},
		{"own", time.Minute, now.Add(time.Hour), time.Minute, true},
		{"none", -1, time.Time{}, forEver, true},
		{"none but ends", -1, now.Add(48 * time.Hour), 48 * time.Hour, true},
		{"has ended", 0, now.Add(-time.Second), 0, false},
		{"ends now", 0, now, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := &fake{}
			cl := over(st, Options{TTL: c.ttl, Now: clock}.withDefaults())
			mustSet(t, cl, CachedSession{Token: "t"})
			mustSet(t, cl, CachedSession{Token: "t", Expires: c.expires})
			if _, kept := st.entries["t"]; kept != c.kept || kept && st.ttls["t"] != c.want {
				t.Errorf("kept %v for %v", kept, st.ttls["t"])
			}
		})
	}
}

func TestClusterLookupSaysWhereFrom(t *testing.T) {
	c := over(&fake{}, Options{}.withDefaults())
	mustSet(t, c, CachedSession{Token: "t"})
	if s, from, err := c.Lookup(context.Background(), "t"); err != nil || from != "owned" || s.Token != "t" {
		t.Errorf("%+v from %q, error %v", s, from, err)
	}
	if _, from, err := c.Lookup(context.Background(), "u"); !errors.Is(err, ErrNotFound) || from != "" {
		t.Errorf("from %q, error %v", from, err)
	}
}

// What another user of the same cache wrote is never taken for a session.
func TestClusterForeignEntries(t *testing.T) {
	st := &fake{entries: map[string][]byte{
		"a": []byte("raw bytes"), "b": []byte(`{"token":"a"}`), "c": []byte(`null`),
	}}
	c := over(st, Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults())
	for token := range st.entries {
		mustMiss(t, c, token)
		if _, _, err := c.Lookup(context.Background(), token); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: error %v", token, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	o := Options{}.withDefaults()
	if o.Name != "vendure-session-cache" || o.TTL != 86_400*time.Second || o.Now == nil || o.Logger == nil {
		t.Errorf("%+v", o)
	}
}

package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// strategies are all of them, each empty and with room for 100 sessions.
func strategies(t *testing.T) map[string]Strategy {
	t.Helper()
	m, err := NewInMemory(100)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Strategy{
		"in memory": m,
		"cluster":   over(&fake{}, Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults()),
	}
}

func each(t *testing.T, test func(t *testing.T, s Strategy)) {
	t.Helper()
	for name, s := range strategies(t) {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func mustSet(t *testing.T, st Strategy, s CachedSession) {
	t.Helper()
	if err := st.Set(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

func mustFind(t *testing.T, st Strategy, token string) CachedSession {
	t.Helper()
	s, err := st.Get(context.Background(), token)
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	return s
}

func mustMiss(t *testing.T, st Strategy, token string) {
	t.Helper()
	if s, err := st.Get(context.Background(), token); !errors.Is(err, ErrNotFound) {
		t.Fatalf("%s: found %+v, error %v", token, s, err)
	}
}

func TestFourCalls(t *testing.T) {
	each(t, func(t *testing.T, st Strategy) {
		ctx := context.Background()
		// The samples end in 2027: give them a year from now on.
		var sessions []CachedSession
		for _, line := range samples(t) {
			s := read(t, string(line))
			s.Expires = time.Now().AddDate(1, 0, 0).Truncate(time.Millisecond)
			mustSet(t, st, s)
			sessions = append(sessions, s)
		}
		for _, s := range sessions {
			if got := mustFind(t, st, s.Token); written(t, got) != written(t, s) {
				t.Errorf("set %s\ngot %s", written(t, s), written(t, got))
			}
		}
		gone, other := sessions[3], sessions[4]
		for range 2 { // deleting what is not there is no error
			if err := st.Delete(ctx, gone.Token); err != nil {
				t.Fatal(err)
			}
			mustMiss(t, st, gone.Token)
		}
		mustFind(t, st, other.Token)
		other.AuthenticationStrategy = "changed"
		mustSet(t, st, other)
		if got := mustFind(t, st, other.Token); got.AuthenticationStrategy != "changed" {
			t.Errorf("after the second Set: %+v", got)
		}
		if err := st.Clear(ctx); err != nil {
			t.Fatal(err)
		}
		for _, s := range sessions {
			mustMiss(t, st, s.Token)
		}
	})
}

func TestNoToken(t *testing.T) {
	each(t, func(t *testing.T, st Strategy) {
		ctx := context.Background()
		_, getErr := st.Get(ctx, "")
		for call, err := range map[string]error{
			"Set": st.Set(ctx, CachedSession{ID: NumberID(1)}), "Get": getErr, "Delete": st.Delete(ctx, ""),
		} {
			if !errors.Is(err, ErrNoToken) {
				t.Errorf("%s: error %v", call, err)
			}
		}
	})
}

func TestExpiredIsAMiss(t *testing.T) {
	for name := range strategies(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := strategies(t)[name]
				now := time.Now()
				mustSet(t, st, CachedSession{Token: "minute", Expires: now.Add(time.Minute)})
				mustSet(t, st, CachedSession{Token: "never"})
				mustSet(t, st, CachedSession{Token: "stale", CacheExpiry: 1})
				mustSet(t, st, CachedSession{Token: "replaced", Expires: now.Add(time.Hour)})
				mustSet(t, st, CachedSession{Token: "replaced", Expires: now.Add(-time.Millisecond)})
				mustMiss(t, st, "replaced")
				time.Sleep(time.Minute - time.Millisecond)
				mustFind(t, st, "minute")
				time.Sleep(2 * time.Millisecond)
				mustMiss(t, st, "minute")
				time.Sleep(time.Hour)
				mustFind(t, st, "never")
				if s := mustFind(t, st, "stale"); !s.Stale(time.Now()) {
					t.Error("not stale")
				}
			})
		})
	}
}

func TestExpiredAndStale(t *testing.T) {
	s := read(t, `{"cacheExpiry":1795465536.685,"expires":"2027-11-24T02:20:36.684Z"}`)
	copied := time.UnixMilli(1795465536685)
	end := time.Date(2027, 11, 24, 2, 20, 36, 684e6, time.UTC)
	for _, c := range []struct {
		now            time.Time
		expired, stale bool
	}{
		{copied.Add(-time.Millisecond), false, false},
		{copied, false, false},
		{copied.Add(time.Millisecond), false, true},
		{end, false, true},
		{end.Add(time.Nanosecond), true, true},
	} {
		if s.Expired(c.now) != c.expired || s.Stale(c.now) != c.stale {
			t.Errorf("at %v: expired %v, stale %v", c.now, s.Expired(c.now), s.Stale(c.now))
		}
	}
	if !read(t, `{"expires":"0001-01-01T00:00:00.000Z"}`).Expired(end) {
		t.Error("what ended in the year 1 has not ended")
	}
	if read(t, `{"expires":null}`).Expired(end) || (CachedSession{}).Expired(end) {
		t.Error("what never ends has ended")
	}
}

func TestSetCopies(t *testing.T) {
	each(t, func(t *testing.T, st Strategy) {
		s := read(t, string(samples(t)[0]))
		s.Expires = time.Time{}
		want := written(t, s)
		mustSet(t, st, s)
		s.User.Identifier = "somebody else"
		s.User.ChannelPermissions[0].Code = "elsewhere"
		s.User.ChannelPermissions[0].Permissions[0] = "Everything"
		if got := written(t, mustFind(t, st, s.Token)); got != want {
			t.Errorf("the cache has %s", got)
		}
	})
}

func TestConcurrentCalls(t *testing.T) {
	each(t, func(t *testing.T, st Strategy) {
		ctx := context.Background()
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() { // ends after its calls, awaited below
				for i := range 200 {
					token := fmt.Sprint((g + i) % 10)
					switch i % 7 {
					case 0:
						_ = st.Delete(ctx, token)
					case 1:
						_ = st.Clear(ctx)
					case 2, 3:
						_ = st.Set(ctx, CachedSession{Token: token, User: &CachedSessionUser{Identifier: token}})
					default:
						if s, err := st.Get(ctx, token); err == nil && s.User.Identifier != token {
							t.Errorf("asked for %s, got %+v", token, s)
						}
					}
				}
			})
		}
		wg.Wait()
	})
}

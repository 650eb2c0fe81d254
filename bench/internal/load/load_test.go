package load

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

func TestKeysAndValues(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range Keys(0, 10_000) {
		if len(k) != KeyLen || seen[k] {
			t.Fatalf("key %q: of %d bytes, seen before: %v", k, len(k), seen[k])
		}
		seen[k] = true
	}
	a, b := Key(1), Key(2)
	if err := Check(a, Value(a)); err != nil {
		t.Error(err)
	}
	if Check(a, Value(b)) == nil || Check(a, Value(a)[1:]) == nil {
		t.Error("a wrong value passes")
	}
}

func TestSessions(t *testing.T) {
	shop, err := NewShop("../../" + Samples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		s := shop.Session(i)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Session
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if back.Token != Key(i) || len(b) < shop.Size(i)/2 || len(b) > 2*shop.Size(i) {
			t.Errorf("session %d: token %q, %d bytes beside about %d", i, back.Token, len(b), shop.Size(i))
		}
	}
}

func TestRun(t *testing.T) {
	var calls atomic.Int64
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		call Call
		ops  uint64
		err  error
	}{
		{"until there is enough", func(context.Context, *rand.Rand) (time.Time, error) {
			if calls.Add(1) > 100 {
				return time.Time{}, ErrEnough
			}
			return time.Now(), nil
		}, 100, nil},
		{"until one fails", func(context.Context, *rand.Rand) (time.Time, error) { return time.Now(), broken }, 0, broken},
	} {
		o, err := Run(t.Context(), Task{Callers: 8, For: time.Hour}, c.call)
		if !errors.Is(err, c.err) || o.Ops != c.ops || o.Hist.Total != c.ops {
			t.Errorf("%s: %d calls, %d timed, %v", c.name, o.Ops, o.Hist.Total, err)
		}
	}
}

package bench

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/peercache/peercache/bench/internal/latency"
	"github.com/peercache/peercache/bench/internal/load"
)

// fake makes an entrant whose every call takes so long, and which fails in the
// round that is named, from 1.
func fake(name string, call time.Duration, failsIn int, turns *[]string) *entrant {
	round := 0
	return &entrant{name: name, run: func(context.Context, load.Task) (measured, error) {
		*turns = append(*turns, name)
		if round++; round == failsIn {
			return measured{}, errors.New("broken")
		}
		var h latency.Histogram
		for range 1000 {
			h.Add(call)
		}
		o := load.Outcome{Ops: 1000, Took: 1000 * call, CPU: 500 * call, Allocs: 2000, Hist: h.Sparse()}
		return measured{Outcome: o, ServerCPU: 500 * call}, nil
	}}
}

func TestContest(t *testing.T) {
	var turns []string
	base, fast := fake("base", 10*time.Microsecond, 0, &turns), fake("fast", 5*time.Microsecond, 0, &turns)
	broken := fake("broken", time.Microsecond, 2, &turns)
	field := []*entrant{base, fast, broken}
	r := &Run{Options: Options{Rounds: 3, Time: time.Second}, Name: "test"}
	if err := r.contest(t.Context(), field, []int{4}); err != nil {
		t.Fatal(err)
	}
	want := []string{"base", "fast", "broken", "broken", "fast", "base", "base", "fast"}
	if !slices.Equal(turns, want) {
		t.Errorf("turns %v, want %v", turns, want)
	}
	if len(r.Failed) != 1 {
		t.Errorf("failed: %q", r.Failed)
	}
	list := rows(field, base, []int{4})
	if len(list) != 2 {
		t.Fatalf("%d rows: %v", len(list), list)
	}
	f := list[1]
	if f.Product != "fast" || f.Callers != 4 || f.Rounds != 3 || f.Ratio != 2 || f.Ops != 200_000 || f.CPU != 5 || *f.Allocs != 2 {
		t.Errorf("%+v", f)
	}
	if f.P50 < 5 || f.P50 > 5.1 {
		t.Errorf("the median is %v µs", f.P50)
	}
}

func TestContestEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	e := &entrant{name: "e", run: func(context.Context, load.Task) (measured, error) {
		cancel(enough)
		return measured{}, ctx.Err()
	}}
	r := &Run{Options: Options{Rounds: 3, Time: time.Second}}
	if err := r.contest(ctx, []*entrant{e}, []int{1}); !errors.Is(err, enough) {
		t.Errorf("an interrupted contest returns %v", err)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/peercache/peercache/bench/internal/latency"
	"github.com/peercache/peercache/bench/internal/report"
)

// result is what a plan has come to.
type result struct {
	Plan     string               `json:"plan"`
	Machine  string               `json:"machine"`
	Load     string               `json:"load_before"`
	LoadAt   string               `json:"load_after"`
	Phases   []phaseResult        `json:"phases"`
	Moves    []move               `json:"moves"`
	Lost     int                  `json:"lost"`
	Wrong    int                  `json:"wrong"`
	Failed   int                  `json:"failed"`
	Examples []string             `json:"examples,omitempty"`
	Read     int                  `json:"read_at_the_end"`
	Nodes    map[string]nodeStats `json:"nodes"`
	Slow     []slowCall           `json:"slow,omitempty"` // the slowest first

	mean float64 // bytes of an entry
}

// phaseResult is a phase over all processes. Times are milliseconds.
type phaseResult struct {
	Name       string  `json:"name"`
	Calls      uint64  `json:"calls"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
	LongestGet float64 `json:"longest_get_ms"`
	LongestSet float64 `json:"longest_set_ms"`
	Over50     int     `json:"slots_over_50_ms"`
	OverBound  int     `json:"slots_over_250_ms"`
	Slots      int     `json:"slots_called"`
	SlotP99    float64 `json:"slot_p99_ms"`
	Longest    float64 `json:"slot_longest_ms"`
}

const keptSlow = 50

func newResult(s *stage, reports []trafficReport, verdicts []verdict, stats map[string]nodeStats) *result {
	d := s.plan.data
	r := &result{
		Plan:    fmt.Sprintf("%d entries, %.0f MB, %d calls/s from %d processes", d.Entries, d.bytes()/1e6, s.o.rate, s.plan.stay),
		Machine: report.Machine(), LoadAt: report.Load(), Moves: s.moves, Nodes: stats, mean: d.meanEntry(),
	}
	var names []string
	for _, t := range reports {
		r.Lost, r.Wrong, r.Failed = r.Lost+t.Lost, r.Wrong+t.Wrong, r.Failed+t.Failed
		r.Examples = append(r.Examples, t.Faults...)
		r.Slow = append(r.Slow, t.Slow...)
		for _, p := range t.Phases {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	for _, v := range verdicts {
		r.Lost, r.Wrong, r.Failed, r.Read = r.Lost+v.Lost, r.Wrong+v.Wrong, r.Failed+v.Failed, r.Read+v.Read
		r.Examples = append(r.Examples, v.Examples...)
	}
	slices.SortFunc(r.Slow, func(a, b slowCall) int { return int(b.Took - a.Took) })
	r.Slow = r.Slow[:min(len(r.Slow), keptSlow)]
	for _, name := range names {
		r.Phases = append(r.Phases, merge(name, reports))
	}
	return r
}

// merge makes one of what the processes have measured in a phase.
func merge(name string, reports []trafficReport) phaseResult {
	var get, set, all latency.Histogram
	longest := make(map[int]time.Duration)
	for _, t := range reports {
		for _, p := range t.Phases {
			if p.Name != name {
				continue
			}
			get.Merge(p.Get.Histogram())
			set.Merge(p.Set.Histogram())
			for s, d := range p.Slots {
				longest[s] = max(longest[s], d)
			}
		}
	}
	all.Merge(&get)
	all.Merge(&set)
	r := phaseResult{
		Name: name, Calls: all.Total, P50: millis(all.At(0.5)), P99: millis(all.At(0.99)), P999: millis(all.At(0.999)),
		LongestGet: millis(get.Longest), LongestSet: millis(set.Longest), Slots: len(longest), Longest: millis(all.Longest),
	}
	var pauses latency.Histogram
	for _, d := range longest {
		pauses.Add(d)
		if d > 50*time.Millisecond {
			r.Over50++
		}
		if d > bound {
			r.OverBound++
		}
	}
	r.SlotP99 = millis(pauses.At(0.99))
	return r
}

func (r *result) print(w io.Writer) error {
	fmt.Fprintf(w, "%s.\n%s; load average before %s, after %s.\n\n", r.Plan, r.Machine, r.Load, r.LoadAt)
	calls := report.Table{Head: []string{
		"phase", "calls", "p50 ms", "p99 ms", "p99.9 ms", "longest get ms", "longest set ms",
		"slots called", "p99 of their longest ms", "over 50 ms", "over 250 ms",
	}}
	for _, p := range r.Phases {
		calls.Add(p.Name, p.Calls, ms(p.P50), ms(p.P99), ms(p.P999), ms(p.LongestGet), ms(p.LongestSet), p.Slots, ms(p.SlotP99), p.Over50, p.OverBound)
	}
	moves := report.Table{Head: []string{"process", "what", "took ms", "copied", "MB", "copying ms", "MB/s"}}
	for _, m := range r.Moves {
		mb := float64(m.Entries) * r.mean / 1e6
		rate := "-"
		if m.Copying > 0 {
			rate = fmt.Sprintf("%.0f", mb/m.Copying.Seconds())
		}
		what, _, _ := strings.Cut(m.Phase, " ")
		moves.Add(m.Name, what, ms(millis(m.Took)), m.Entries, fmt.Sprintf("%.1f", mb), ms(millis(m.Copying)), rate)
	}
	nodes := report.Table{Head: []string{"process", "slots", "members", "takes sent", "slots fetched", "messages dropped", "peak memory"}}
	var names []string
	for name := range r.Nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := r.Nodes[name]
		nodes.Add(name, s.Slots, s.Members, s.Messages["take"], s.Requests["fetch"], s.Dropped, s.Peak)
	}
	for _, t := range []*report.Table{&calls, &moves, &nodes} {
		if err := t.Write(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	for _, e := range r.Examples {
		fmt.Fprintln(w, "fault:", e)
	}
	_, err := fmt.Fprintf(w, "%d entries read at the end; %d lost, %d wrong, %d calls failed; the longest call took %.1f ms\n",
		r.Read, r.Lost, r.Wrong, r.Failed, r.longest())
	return err
}

func ms(v float64) string { return fmt.Sprintf("%.1f", v) }

func (r *result) longest() float64 {
	most := 0.0
	for _, p := range r.Phases {
		most = max(most, p.Longest)
	}
	return most
}

// fault returns what went wrong, if anything.
func (r *result) fault() error {
	if r.Lost+r.Wrong+r.Failed > 0 {
		return fmt.Errorf("%d entries lost, %d values wrong, %d calls failed", r.Lost, r.Wrong, r.Failed)
	}
	if r.Read == 0 {
		return errors.New("nothing was read")
	}
	return nil
}

// peakMemory returns the most resident memory that this process has had.
func peakMemory() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/peercache/peercache/bench/internal/report"
)

// Tables writes the rows in Markdown, a table for each bench. Columns without a
// value are left out.
func Tables(w io.Writer, rows []report.Row) error {
	for _, b := range All() {
		var mine []report.Row
		for _, r := range rows {
			if r.Bench == b.Name {
				mine = append(mine, r)
			}
		}
		if len(mine) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "### %s: %s\n\n", b.Name, b.About); err != nil {
			return err
		}
		t := table(mine)
		if err := t.Write(w); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

type column struct {
	head string
	cell func(r *report.Row) string
}

func table(rows []report.Row) *report.Table {
	columns := []column{
		{"product", func(r *report.Row) string { return r.Product }},
		{"case", func(r *report.Row) string { return r.Case }},
		{"TLS", func(r *report.Row) string {
			if r.Secure() {
				return "1.3"
			}
			return ""
		}},
		{"callers", func(r *report.Row) string {
			if r.Callers == 0 {
				return ""
			}
			return fmt.Sprint(r.Callers)
		}},
		{"ops/s", func(r *report.Row) string { return number(r.Ops) }},
		{"ratio", func(r *report.Row) string { return number(r.Ratio) }},
		{"p50 µs", func(r *report.Row) string { return number(r.P50) }},
		{"p99 µs", func(r *report.Row) string { return number(r.P99) }},
		{"p99.9 µs", func(r *report.Row) string { return number(r.P999) }},
		{"CPU µs/op", func(r *report.Row) string { return number(r.CPU) }},
		{"allocs/op", func(r *report.Row) string {
			if r.Allocs == nil {
				return ""
			}
			return fmt.Sprintf("%.1f", *r.Allocs)
		}},
	}
	names := make(map[string]bool)
	for _, r := range rows {
		for n := range r.Figures {
			names[n] = true
		}
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		columns = append(columns, column{n, func(r *report.Row) string {
			v, ok := r.Figures[n]
			if !ok {
				return ""
			}
			if v == 0 {
				return "0"
			}
			return number(v)
		}})
	}
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return !slices.ContainsFunc(rows, func(r report.Row) bool { return c.cell(&r) != "" })
	})
	t := &report.Table{}
	for _, c := range columns {
		t.Head = append(t.Head, c.head)
	}
	for _, r := range rows {
		var cells []any
		for _, c := range columns {
			cells = append(cells, c.cell(&r))
		}
		t.Add(cells...)
	}
	return t
}

// number prints three digits that count, and thousands in groups. Zero is
// nothing.
func number(v float64) string {
	switch abs := max(v, -v); {
	case v == 0:
		return ""
	case abs >= 1000:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// Package report writes down what was measured, and on what.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Row is one product in one setting. What does not apply is absent.
type Row struct {
	Bench   string `json:"bench"`
	Product string `json:"product"`
	// Case is the setting, where callers and TLS do not say it all.
	Case    string  `json:"case,omitempty"`
	Callers int     `json:"callers,omitempty"`
	TLS     *bool   `json:"tls,omitempty"`
	Ops     float64 `json:"ops_per_second,omitempty"`
	// Ratio is the rate divided by that of the bench's base in the same round.
	Ratio float64 `json:"ratio,omitempty"`
	P50   float64 `json:"p50_us,omitempty"`
	P99   float64 `json:"p99_us,omitempty"`
	P999  float64 `json:"p999_us,omitempty"`
	// CPU is of all processes together.
	CPU float64 `json:"cpu_us_per_op,omitempty"`
	// Allocs are of the process that makes the calls. Those of the others are
	// the figure server_allocs_per_op.
	Allocs *float64 `json:"allocs_per_op,omitempty"`
	Rounds int      `json:"rounds,omitempty"`
	// Figures are what only this bench has, by name with the unit at its end.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Secure tells whether the row is of a product with TLS.
func (r *Row) Secure() bool { return r.TLS != nil && *r.TLS }

// WriteFile writes v as JSON. An empty path is nowhere.
func WriteFile(path string, v any) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Median returns the middle of the values, of an even number the mean of the
// two in the middle.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Clone(values)
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// Table is a table in Markdown.
type Table struct {
	Head []string
	Rows [][]string
}

// Add adds a row; each cell is printed as fmt.Sprint does.
func (t *Table) Add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.Rows = append(t.Rows, row)
}

// Write writes the table with its columns aligned, all but the first to the
// right.
func (t *Table) Write(w io.Writer) error {
	width := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, c := range row {
			width[i] = max(width[i], len([]rune(c)), 3)
		}
	}
	var b strings.Builder
	line := func(row []string) {
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-len([]rune(c)))
			if i == 0 {
				b.WriteString("| " + c + pad + " |")
			} else {
				b.WriteString(" " + pad + c + " |")
			}
		}
		b.WriteByte('\n')
	}
	line(t.Head)
	for i, n := range width {
		if i == 0 {
			b.WriteString("| " + strings.Repeat("-", n) + " |")
		} else {
			b.WriteString(" " + strings.Repeat("-", n-1) + ": |")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.Rows {
		line(row)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

package bench

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/peercache/peercache/bench/internal/chart"
	"github.com/peercache/peercache/bench/internal/report"
)

// Charts draws the rows into a folder.
func Charts(dir string, rows []report.Row) error {
	ops := func(r report.Row) float64 { return r.Ops }
	callers := func(r report.Row) string { return fmt.Sprintf("%d callers", r.Callers) }
	kase := func(r report.Row) string { return r.Case }
	figure := func(name string) func(report.Row) float64 {
		return func(r report.Row) float64 { return r.Figures[name] }
	}
	for _, c := range []struct {
		bench, file, title, unit string
		place                    func(report.Row) string
		value                    func(report.Row) float64
	}{
		{"local", "local", "A hit in the own process, by goroutines", "million gets a second", goroutines, func(r report.Row) float64 { return r.Ops / 1e6 }},
		{"ratio", "ratio", "Hit ratio with room for a tenth", "hits per get", kase, figure("hit_ratio")},
		{"remote", "remote", "A get from another process", "gets a second", callers, ops},
		{"remote", "remote-p99", "A get from another process, 99th percentile", "µs", callers, func(r report.Row) float64 { return r.P99 }},
		{"set", "set", "A set on three processes", "sets a second", callers, ops},
		{"delete", "delete", "A delete that all nodes have confirmed, 1 caller", "times a bare round trip (median)", onlyOne, figure("p50_times_base")},
		{"many", "many", "A hundred keys at once, 1 caller", "µs (median)", onlyOne, func(r report.Row) float64 { return r.P50 }},
		{"sessions", "sessions", "Three processes of a shop", "operations a second", kase, ops},
		{"sessions", "sessions-cpu", "Three processes of a shop", "CPU seconds per million operations", kase, figure("cpu_s_per_million")},
		{"memory", "memory", "Memory beyond key and value", "bytes per entry", kase, figure("beyond_key_and_value_bytes")},
		{"copy", "copy", "Copying between two processes", "MB a second", kase, figure("mb_per_second")},
	} {
		places, list := group(rows, c.bench, c.place, c.value)
		if err := chart.Bars(filepath.Join(dir, c.file+".svg"), c.title, c.unit, places, list); err != nil {
			return err
		}
	}
	return growthCharts(dir, rows)
}

func goroutines(r report.Row) string { return fmt.Sprintf("%d at a time", r.Callers) }

// onlyOne is the case, for rows of one caller.
func onlyOne(r report.Row) string {
	if r.Callers != 1 {
		return skip
	}
	return r.Case
}

// skip is the place of a row that is not drawn.
const skip = "\x00"

// group sorts rows into places and series.
func group(rows []report.Row, bench string, place func(report.Row) string, value func(report.Row) float64) ([]string, []chart.Series) {
	var places []string
	var list []chart.Series
	in := make(map[string]map[string]float64) // by series and place
	for _, r := range rows {
		at := place(r)
		if r.Bench != bench || at == skip {
			continue
		}
		name := r.Product
		if r.Secure() {
			name += ", TLS"
		}
		if at != r.Case && r.Case != "" {
			name += ", " + r.Case
		}
		if !slices.Contains(places, at) {
			places = append(places, at)
		}
		if in[name] == nil {
			in[name] = make(map[string]float64)
			list = append(list, chart.Series{Name: name})
		}
		in[name][at] = value(r)
	}
	for i := range list {
		for _, p := range places {
			v, ok := in[list[i].Name][p]
			if !ok {
				v = math.NaN()
			}
			list[i].Values = append(list[i].Values, v)
		}
	}
	return places, list
}

func growthCharts(dir string, rows []report.Row) error {
	for _, c := range []struct {
		file, title, unit string
		figures           []string
	}{
		{"growth-messages", "Messages by the number of nodes", "messages per call", []string{"get_messages", "set_messages", "delete_messages", "clear_messages"}},
		{"growth-bytes", "Bytes on the wire by the number of nodes", "bytes", []string{"get_bytes", "set_bytes", "delete_bytes", "clear_bytes", "gossip_bytes_per_second_per_node"}},
		{"growth-time", "Times by the number of nodes", "ms", []string{"table_ms", "take_ms", "join_ms", "join_everyone_ms"}},
	} {
		var x []float64
		for _, r := range rows {
			if n := r.Figures["nodes"]; r.Bench == "growth" && n > 0 && !slices.Contains(x, n) {
				x = append(x, n)
			}
		}
		slices.Sort(x)
		var list []chart.Series
		for _, f := range c.figures {
			s := chart.Series{Name: strings.ReplaceAll(f, "_", " ")}
			for _, n := range x {
				v := math.NaN()
				for _, r := range rows {
					if got, ok := r.Figures[f]; ok && r.Bench == "growth" && r.Figures["nodes"] == n {
						v = got
					}
				}
				s.Values = append(s.Values, v)
			}
			list = append(list, s)
		}
		if err := chart.Lines(filepath.Join(dir, c.file+".svg"), c.title, "nodes", c.unit, x, list); err != nil {
			return err
		}
	}
	return nil
}

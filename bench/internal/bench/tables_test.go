package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peercache/peercache/bench/internal/report"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "", 0.5: "0.500", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 999.6: "1000", 1234: "1,234", 1234567: "1,234,567", -1234: "-1,234",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func testRows() []report.Row {
	allocs, secure := 1.5, true
	return []report.Row{
		{Bench: "remote", Product: "floor", Callers: 1, Ops: 1000, Ratio: 1, Rounds: 5},
		{Bench: "remote", Product: "peercache", TLS: &secure, Callers: 1, Ops: 900, Ratio: 0.9, Allocs: &allocs, Rounds: 5},
		{Bench: "growth", Product: "peercache", Case: "3 nodes", Figures: map[string]float64{"nodes": 3, "get_messages": 1}},
		{Bench: "growth", Product: "peercache", Case: "10 nodes", Figures: map[string]float64{"nodes": 10, "get_messages": 1}},
	}
}

func TestTables(t *testing.T) {
	var b strings.Builder
	if err := Tables(&b, testRows()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### remote", "### growth", "| peercache | 1.3 |", "1.5 |", "get_messages"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "p50") {
		t.Errorf("there is an empty column:\n%s", b.String())
	}
}

func TestCharts(t *testing.T) {
	dir := t.TempDir()
	if err := Charts(dir, testRows()); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"remote.svg": "peercache, TLS", "growth-messages.svg": "get messages"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if s := string(b); !strings.Contains(s, "<svg") || !strings.Contains(s, want) {
			t.Errorf("%s does not show %q", file, want)
		}
	}
}

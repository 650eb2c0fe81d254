package trace

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Glimpse is a trace of a text retrieval system (Jiang and Zhang, LIRS, 2002),
// which the module of ristretto ships for its own simulator. It goes round in
// loops that are larger than the cache.
func Glimpse(ctx context.Context) (*Trace, error) {
	const module = "github.com/dgraph-io/ristretto/v2"
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, fmt.Errorf("trace: asking for the folder of %s: %w", module, err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(out)), "sim", "gli.lirs.gz"))
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	t := &Trace{Name: "Glimpse (LIRS), 40 %", Part: 0.4, Size: fixed}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		n, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 32)
		if err != nil {
			continue // a mark between parts
		}
		t.Asks = append(t.Asks, uint32(n))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return t, nil
}

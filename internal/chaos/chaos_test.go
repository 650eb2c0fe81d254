package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needSplit, where it is set, makes it an error that a split cannot be tried.
const needSplit = "CHAOS_NEED_SPLIT"

// Every trial once, on small clusters. Nothing is lost, read wrong, or fails
// that must not; times are judged in virtual time, by the simulation.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("two minutes of real processes")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args := []string{"-short", "-go", goTool}
	if os.Getenv(needSplit) != "" {
		args = append(args, "-need-split")
	}
	var out bytes.Buffer
	status := run(ctx, args, &out, &out)
	t.Log(out.String())
	if status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-x"}, {"y"}, {"-only", "("}} {
		var out, stderr bytes.Buffer
		if status := run(t.Context(), args, &out, &stderr); status != 2 || stderr.Len() == 0 {
			t.Errorf("%v: exit status %d, %s", args, status, stderr.String())
		}
	}
	var out bytes.Buffer
	if status := run(t.Context(), []string{"-go", "/no/such/go"}, &out, &out); status != 1 || !strings.Contains(out.String(), "FAILED") {
		t.Errorf("no go: exit status %d, %s", status, out.String())
	}
}

package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leftBehind lists directories of the demo that were not there before.
func leftBehind(t *testing.T) func() {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func() {
		t.Helper()
		if list, err := filepath.Glob(filepath.Join(dir, "peercache-demo-*")); err != nil || len(list) > 0 {
			t.Errorf("left behind: %v, error %v", list, err)
		}
	}
}

// The whole story, on real processes.
func TestDemo(t *testing.T) {
	check := leftBehind(t)
	var out, stderr bytes.Buffer
	t.Setenv("PEERCACHE_NAME", "not this")
	status := run(context.Background(), []string{"-keys", "500"}, newScreen(&out, false), &stderr)
	if status != 0 || !strings.Contains(out.String(), "\nOK: 20 sessions") || stderr.Len() > 0 {
		t.Fatalf("exit status %d\n%s%s", status, out.String(), stderr.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colours where there is no terminal")
	}
	check()
}

// When it is interrupted, it leaves nothing behind and says so.
func TestDemoInterrupted(t *testing.T) {
	check := leftBehind(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &watched{want: "PUT 5,000 keys", found: cancel}
	if status := run(ctx, []string{"-keys", "5000"}, newScreen(out, false), out); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if !strings.Contains(out.String(), "FAILED: interrupted") {
		t.Error(out.String())
	}
	if strings.Contains(out.String(), "the end of n1.log") {
		t.Error("the logs are shown though nothing failed")
	}
	check()
}

// watched is a screen that calls a function when a text has been written.
type watched struct {
	bytes.Buffer
	want  string
	found func()
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if bytes.Contains(w.Bytes(), []byte(w.want)) {
		w.found()
	}
	return n, err
}

func TestUp(t *testing.T) {
	check := leftBehind(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &watched{want: "Running until", found: cancel}
	if status := run(ctx, []string{"-up"}, newScreen(out, false), out); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if n := strings.Count(out.String(), "exit status 0"); n != 3 || !strings.Contains(out.String(), "curl -i -X PUT") {
		t.Error(out.String())
	}
	check()
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-x"}, {"y"}, {"-keys", "1"}} {
		var stderr bytes.Buffer
		if status := run(context.Background(), args, newScreen(&stderr, false), &stderr); status != 2 || stderr.Len() == 0 {
			t.Errorf("%v: exit status %d, %s", args, status, stderr.String())
		}
	}
	var stderr bytes.Buffer
	if status := run(context.Background(), []string{"-h"}, newScreen(&stderr, false), &stderr); status != 0 {
		t.Errorf("-h: exit status %d", status)
	}
	if status := run(context.Background(), []string{"-go", "/no/such/go"}, newScreen(&stderr, false), &stderr); status != 1 {
		t.Errorf("no go: exit status %d", status)
	}
}

package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	err := Serve(map[string]Role{"echo": echo})
	if errors.Is(err, ErrNoRole) {
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func echo() (map[string]Handler, func()) {
	return map[string]Handler{
		"twice": Handle(func(n int) (int, error) { return 2 * n, nil }),
		"fail":  Handle(func(why string) (any, error) { return nil, errors.New(why) }),
		"hang":  Handle(hang),
		"exit":  Handle(func(code int) (any, error) { os.Exit(code); return nil, nil }),
	}, nil
}

// hang leaves a file, if it is told its name, and does not return.
func hang(file string) (any, error) {
	if file != "" {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return nil, err
		}
	}
	time.Sleep(time.Hour)
	return nil, nil
}

func start(t *testing.T) *Child {
	t.Helper()
	var g Group
	t.Cleanup(g.Stop)
	c, err := g.Start("echo", Options{Name: "child"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestQuestions(t *testing.T) {
	c := start(t)
	for i := range 3 {
		var got int
		if err := c.Ask(t.Context(), "twice", i, &got); err != nil || got != 2*i {
			t.Fatalf("twice %d: %d, %v", i, got, err)
		}
	}
	for do, with := range map[string]any{"fail": "for this reason", "twice": "no number", "nothing": nil} {
		if err := c.Ask(t.Context(), do, with, nil); err == nil || !strings.Contains(err.Error(), "child: "+do) {
			t.Errorf("%s: %v", do, err)
		}
	}
	c.Stop()
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the child ended with %d", code)
	}
}

func TestChildGone(t *testing.T) {
	c := start(t)
	if err := c.Ask(t.Context(), "exit", 3, nil); err == nil {
		t.Error("a child that ended has answered")
	}
	if err := c.Ask(t.Context(), "twice", 1, nil); err == nil {
		t.Error("a child that has ended answers")
	}
}

// A child that is stopped in the middle of an answer ends by itself.
func TestChildStopsWhileAsked(t *testing.T) {
	c := start(t)
	asked := make(chan error, 1)
	file := filepath.Join(t.TempDir(), "asked")
	go func() { asked <- c.Ask(t.Context(), "hang", file, nil) }() // ends with the child
	for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
		if t.Context().Err() != nil {
			t.Fatal("the child is not asked")
		}
		runtime.Gosched()
	}
	c.Stop()
	if err := <-asked; err == nil {
		t.Error("a child that hangs has answered")
	}
	if s := c.cmd.ProcessState; !s.Exited() {
		t.Errorf("the child did not end by itself: %v", s)
	}
}

func TestChildHangs(t *testing.T) {
	c := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ask(ctx, "hang", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("asking a child that hangs: %v", err)
	}
	<-c.done
}

// Demo starts three nodes as three processes and plays the story of a shop's
// sessions on them, checking everything that it says. With -up it keeps the
// three running instead, until it is interrupted.
//
//	go run ./internal/demo
//	go run ./internal/demo -up
//
// It needs nothing but Go: it builds cmd/demo-node into a directory of its own,
// uses ports that are free, and leaves no process and no file behind. The exit
// status is 0 when all went as it says, 1 when something did not, and 2 for a
// flag that makes no sense.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

// storyFor bounds the whole story, so that it ends even where a node hangs.
const storyFor = 3 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status := run(ctx, os.Args[1:], newScreen(os.Stdout, colourful(os.Stdout)), os.Stderr)
	stop()
	os.Exit(status)
}

// run is the whole program. It returns the exit status.
func run(ctx context.Context, args []string, s *screen, stderr io.Writer) int {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	up := fs.Bool("up", false, "keep three nodes running until interrupted, and play no story")
	goTool := fs.String("go", "go", "the go command to build with")
	keys := fs.Int("keys", 3000, "keys that are read and written while nodes come and go")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0 || *keys < 100:
		fmt.Fprintln(stderr, "demo: want no arguments but flags, and -keys of at least 100")
		return 2
	}
	if err := play(ctx, s, *goTool, *up, *keys); err != nil {
		s.failed(err)
		return 1
	}
	return 0
}

var errInterrupted = errors.New("interrupted")

// play builds the program, does what was asked, and tidies up whatever happens.
func play(ctx context.Context, s *screen, goTool string, up bool, keys int) (err error) {
	asked := ctx
	if !up {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, storyFor, fmt.Errorf("the story is not over after %v", storyFor))
		defer cancel()
	}
	root, err := fleet.ModuleRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "peercache-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f, err := fleet.New(dir)
	if err != nil {
		return err
	}
	defer func() { // also when something panics
		if err != nil && asked.Err() != nil {
			err = errInterrupted
		}
		if err != nil && !errors.Is(err, errInterrupted) {
			for _, line := range f.Logs() {
				s.text(line)
			}
		}
		f.KillAll()
	}()
	s.title("peercache: three nodes on this machine")
	s.step("A node is built")
	begun := time.Now()
	if err := f.Build(ctx, goTool, root); err != nil {
		return err
	}
	s.line("", "go build ./cmd/demo-node", "ok", time.Since(begun))
	if up {
		return keepUp(ctx, s, f)
	}
	sessions, err := readSamples(filepath.Join(root, "testdata", "vendure-sessions.jsonl"), time.Now())
	if err != nil {
		return err
	}
	st := newStory(s, f, sessions, keys)
	defer st.c.Close()
	err = st.play(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

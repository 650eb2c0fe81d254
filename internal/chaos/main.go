// Chaos does to nodes in processes of their own what machines and networks do:
// it kills them, stops them, restarts them and cuts them apart, while it writes,
// reads and deletes, and counts what was lost or wrong.
//
//	go run ./internal/chaos                 # every trial once, about ten minutes
//	go run ./internal/chaos -minutes 60     # again and again for an hour
//	go run ./internal/chaos -short          # small clusters, about two minutes
//	go run ./internal/chaos -only split     # the trials whose name matches
//
// It prints a table and ends with status 1 if anything was lost, read wrong, or
// failed that must not fail. Times are reported and not judged, since they are
// the machine's as well. The split needs Linux and the right to make network
// namespaces; without it is left out with a line that says so, unless
// -need-split asks for it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/peercache/peercache/internal/fleet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// options are the flags.
type options struct {
	goTool    string
	short     bool
	needSplit bool
	minutes   float64
	seed      uint64
	only      *regexp.Regexp
}

// run is the whole program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.goTool, "go", "go", "the go command to build with")
	fs.BoolVar(&o.short, "short", false, "small clusters and short waits")
	fs.BoolVar(&o.needSplit, "need-split", false, "fail where network namespaces cannot be made")
	fs.Float64Var(&o.minutes, "minutes", 0, "begin again until so much time is over; 0 is once")
	fs.Uint64Var(&o.seed, "seed", rand.Uint64(), "chooses who is hit, and which keys are called")
	only := fs.String("only", "", "only trials whose name matches this regular expression")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		fmt.Fprintf(stderr, "chaos: want no arguments but flags, not %q\n", fs.Args())
		return 2
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(stderr, "chaos: -only:", err)
		return 2
	}
	if err := wreak(ctx, o, stdout); err != nil {
		fmt.Fprintln(stdout, "\nFAILED:", err)
		return 1
	}
	return 0
}

// wreak runs the trials and tidies up whatever happens.
func wreak(ctx context.Context, o options, out io.Writer) (err error) {
	root, err := fleet.ModuleRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "peercache-chaos-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f, err := fleet.New(dir)
	if err != nil {
		return err
	}
	if err := f.Build(ctx, o.goTool, root); err != nil {
		return err
	}
	fmt.Fprintln(out, "seed", o.seed)
	tab := newTable(out)
	defer func() { err = errors.Join(err, tab.finish()) }()
	end := time.Now().Add(time.Duration(o.minutes * float64(time.Minute)))
	for round := uint64(0); ; round++ {
		rng := rand.New(rand.NewPCG(o.seed, round))
		for i, t := range trials(o.short) {
			if !o.only.MatchString(t.name) {
				continue
			}
			own := filepath.Join(dir, fmt.Sprint(round, "-", i))
			if err := os.Mkdir(own, 0o700); err != nil {
				return err
			}
			l, err := newLab(f.In(own), tab, rng, t)
			if err == nil {
				err = l.run(ctx, o.needSplit)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if err := tab.judge(); err != nil || !time.Now().Before(end) {
			return err
		}
	}
}

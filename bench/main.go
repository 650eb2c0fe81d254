// Bench measures peercache and the caches that a user would take instead. See
// README.md for what is measured and how.
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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/peercache/peercache/bench/internal/bench"
	"github.com/peercache/peercache/bench/internal/proc"
	"github.com/peercache/peercache/bench/internal/report"
)

func main() {
	err := proc.Serve(bench.Roles())
	if errors.Is(err, proc.ErrNoRole) {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	bench.Options
	which  string
	out    string
	atMost time.Duration
	prof   string
}

func run() error {
	var o options
	quick := flag.Bool("quick", false, "one short round of everything, with fewer entries and nodes")
	flag.IntVar(&o.Rounds, "rounds", 0, "rounds; 0: 5, or with -quick 1")
	flag.DurationVar(&o.Time, "time", 0, "how long a product is measured in a round; 0: 600ms, or with -quick 150ms")
	flag.StringVar(&o.which, "bench", "", "measure only these, by name and with commas between: "+strings.Join(names(), ","))
	flag.StringVar(&o.Only, "only", "", "measure products whose name contains this, and what they are compared with")
	flag.BoolVar(&o.Backups, "backups", true, "measure peercache with a backup of each entry as well, if it can have one")
	flag.StringVar(&o.out, "out", "results", "the `folder` that latest.json, latest.md and the charts are written to")
	flag.DurationVar(&o.atMost, "at-most", 40*time.Minute, "give up after this time")
	flag.StringVar(&o.prof, "profiles", "", "write a CPU profile of each process into this `folder`")
	flag.Parse()
	o.Quick = *quick
	if o.Rounds == 0 {
		o.Rounds = 5
		if o.Quick {
			o.Rounds = 1
		}
	}
	if o.Time == 0 {
		o.Time = 600 * time.Millisecond
		if o.Quick {
			o.Time = 150 * time.Millisecond
		}
	}
	if flag.NArg() > 0 || o.Rounds < 1 || o.Time <= 0 {
		return errors.New("there are no arguments, and rounds and time are above zero")
	}
	chosen, err := choose(o.which)
	if err != nil {
		return err
	}
	if o.prof != "" {
		if err := os.MkdirAll(o.prof, 0o755); err != nil {
			return err
		}
		if err := os.Setenv(proc.ProfilesVar, o.prof); err != nil { // the children inherit it
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.atMost, fmt.Errorf("not done after %v", o.atMost))
	defer cancel()
	return measure(ctx, o, chosen)
}

func names() []string {
	var list []string
	for _, b := range bench.All() {
		list = append(list, b.Name)
	}
	return list
}

func choose(which string) ([]bench.Bench, error) {
	if which == "" {
		return bench.All(), nil
	}
	var list []bench.Bench
	for name := range strings.SplitSeq(which, ",") {
		i := slices.IndexFunc(bench.All(), func(b bench.Bench) bool { return b.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no bench %q, only %s", name, strings.Join(names(), ", "))
		}
		list = append(list, bench.All()[i])
	}
	return list, nil
}

// results are what all chosen benches have come to.
type results struct {
	head   string
	rows   []report.Row
	notes  []string
	failed []string
}

// measure makes one measurement after the other. What is measured is written
// down even when something else fails.
func measure(ctx context.Context, o options, chosen []bench.Bench) error {
	start, load := time.Now(), report.Load()
	var all results
	for _, b := range chosen {
		r := &bench.Run{Options: o.Options, Name: b.Name, Group: &proc.Group{}}
		r.Log("%s", b.About)
		err := b.Run(ctx, r)
		r.Group.Stop()
		if err != nil {
			r.Fail("stopped", err)
		}
		all.rows, all.notes, all.failed = append(all.rows, r.Rows...), append(all.notes, r.Notes...), append(all.failed, r.Failed...)
		if ctx.Err() != nil {
			break
		}
	}
	all.head = fmt.Sprintf("%s; load average before %s, after %s; %d rounds of %v; took %v.",
		report.Machine(), load, report.Load(), o.Rounds, o.Time, time.Since(start).Round(time.Second))
	if err := all.write(o.out); err != nil {
		return err
	}
	if err := all.print(os.Stdout); err != nil {
		return err
	}
	if len(all.failed) > 0 {
		return fmt.Errorf("%d failed: %s", len(all.failed), strings.Join(all.failed, "; "))
	}
	return nil
}

func (r *results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := report.WriteFile(filepath.Join(dir, "latest.json"), r.rows); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "latest.md"))
	if err != nil {
		return err
	}
	err = r.print(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return bench.Charts(dir, r.rows)
}

func (r *results) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", r.head); err != nil {
		return err
	}
	if err := bench.Tables(w, r.rows); err != nil {
		return err
	}
	for _, n := range r.notes {
		if _, err := fmt.Fprintf(w, "- %s\n", n); err != nil {
			return err
		}
	}
	for _, f := range r.failed {
		if _, err := fmt.Fprintf(w, "- FAILED: %s\n", f); err != nil {
			return err
		}
	}
	return nil
}

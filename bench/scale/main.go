// Scale measures what callers notice while processes join a cluster and leave
// it. It starts nodes as processes of their own, fills them, lets those that
// stay read and write all the while, and prints how long the calls took. It ends
// with 1 when an entry was lost, a value was older than it may be, or a call
// failed. Times are only printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/peercache/peercache/bench/internal/proc"
)

// bound is how long a call may take, by the project's own aim.
const bound = 250 * time.Millisecond

type options struct {
	gib      float64
	rate     int
	workers  int
	quiet    time.Duration
	near     time.Duration
	secret   bool
	together bool
	logs     string
	profiles string
	json     string
}

func main() {
	err := proc.Serve(map[string]proc.Role{"node": nodeRole})
	if errors.Is(err, proc.ErrNoRole) {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	flag.Float64Var(&o.gib, "gib", 0, "fill with this many GiB of entries of 1 to 4 KiB, and let one process join and one leave; 0: 50,000 entries of 400 bytes, 3 to 5 to 2 processes")
	flag.IntVar(&o.rate, "rate", 4000, "calls a second of all processes together")
	flag.IntVar(&o.workers, "workers", 32, "callers in each process that stays")
	flag.DurationVar(&o.quiet, "quiet", 3*time.Second, "how long nothing happens between joins and leaves")
	flag.DurationVar(&o.near, "near", 0, "NearTTL of all nodes; 0: the default; negative: no near copies")
	flag.BoolVar(&o.secret, "secret", false, "encrypt what the nodes say")
	flag.BoolVar(&o.together, "together", false, "let processes join and leave at the same time, not one after the other")
	flag.StringVar(&o.logs, "logs", "", "write each node's log into this `directory`")
	flag.StringVar(&o.profiles, "profiles", "", "write each node's CPU profile into this `directory`")
	flag.StringVar(&o.json, "json", "", "write the results as JSON to this `file`")
	flag.Parse()
	if flag.NArg() > 0 || o.gib < 0 || o.rate < 1 || o.workers < 1 || o.quiet < 0 {
		return errors.New("there are no arguments, and numbers are not negative")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	var group proc.Group
	defer group.Stop()
	return play(ctx, &group, o, planOf(o))
}

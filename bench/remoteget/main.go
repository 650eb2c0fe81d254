// Remoteget measures how many values a process can get from another one, over
// loopback TCP: peercache's own connection (internal/wire), a whole peercache
// node with near copies off, and groupcache's HTTPPool.
//
// Client and server of each product are two processes. The products take turns
// within a round, and every other round goes backwards; what is printed are the
// medians of the rounds and of the ratios within a round.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/peercache/peercache/bench/internal/proc"
)

const (
	keyLen   = 64  // bytes
	valueLen = 400 // bytes
	keyCount = 10_000
)

type options struct {
	rounds  int
	round   time.Duration
	callers []int
	pin     bool
	only    string
	json    string
}

func main() {
	err := proc.Serve(roles())
	if errors.Is(err, proc.ErrNoRole) {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "remoteget:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	callers := ""
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of all products and numbers of callers")
	flag.DurationVar(&o.round, "time", time.Second, "how long a product is measured in a round, for each number of callers")
	flag.StringVar(&callers, "callers", "1,8,64,512", "numbers of callers")
	flag.BoolVar(&o.pin, "pin", false, "bind clients to processor 0 and servers to processor 1")
	flag.StringVar(&o.only, "only", "", "measure products whose name contains this, and the base")
	flag.StringVar(&o.json, "json", "", "write the rows as JSON to this `file`")
	flag.Parse()
	if flag.NArg() > 0 || o.rounds < 1 || o.round <= 0 {
		return errors.New("there are no arguments, and rounds and time are above zero")
	}
	for f := range strings.SplitSeq(callers, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 || n > 10_000 {
			return fmt.Errorf("callers %q: each is a number from 1 to 10000", callers)
		}
		o.callers = append(o.callers, n)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return measure(ctx, o)
}

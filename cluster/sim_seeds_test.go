package cluster

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run each random simulation with this seed only")
	simSeeds = flag.Uint64("sim.seeds", 0, "with how many seeds; 0: a few, or as many as begin within -sim.for")
	simFor   = flag.Duration("sim.for", 8*time.Second, "real time")
	simAgain = flag.Int("sim.again", 1, "how often each seed of TestSim")
	simFrom  = flag.Uint64("sim.from", 0, "the first seed; 0: any")
)

// eachSeed runs a simulation with few seeds (0: for -sim.for), as many at a time
// as there are processors. None is begun after one has failed.
func eachSeed(t *testing.T, few uint64, run func(*testing.T, uint64)) {
	first := *simFrom
	if first == 0 {
		first = 1 + rand.Uint64()>>24
	}
	if *simSeeds > 0 {
		few = *simSeeds
	}
	if *simSeed != 0 {
		first, few = *simSeed, 1
	}
	begin := time.Now()
	var next atomic.Uint64
	var failed atomic.Bool
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for !failed.Load() {
				num := next.Add(1) - 1
				if few > 0 && num >= few || few == 0 && time.Since(begin) > *simFor {
					return
				}
				t.Run(fmt.Sprint("seed", first+num), func(t *testing.T) {
					defer func() {
						if t.Failed() {
							failed.Store(true)
							t.Logf("again: go test -run '^%s$' ./cluster -sim.seed %d", t.Name()[:len(t.Name())-len(fmt.Sprint("/seed", first+num))], first+num)
						}
					}()
					run(t, first+num)
				})
			}
		})
	}
	workers.Wait()
	t.Log("simulated so far: ", &simTotals, &stormTotals)
}

// tallies are what all runs of TestSim came to.
type tallies struct {
	mu   sync.Mutex // guards what follows
	sums map[string]int
}

func (c *tallies) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sums == nil {
		c.sums = make(map[string]int)
	}
	c.sums[what] += n
}

// most keeps the largest.
func (c *tallies) most(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sums == nil {
		c.sums = make(map[string]int)
	}
	c.sums[what] = max(c.sums[what], n)
}

func (c *tallies) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.sums)
}

var stormTotals tallies

//go:build faults

package cluster

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var simHunt = flag.Uint64("sim.hunt", 0, "look for each deliberate fault with so many seeds, from -sim.from on; 0: with those that are known to find it")

const wrongTries = 60

// wrongSeeds are seeds with which TestSim finds each fault. What a seed finds is
// not quite determined (see TestSim), so each is tried a few times.
var wrongSeeds = [faultCount][]uint64{
	keepsRevoked:    {1},
	forgetsClear:    {1},
	dropsWrites:     {1},
	wallTimer:       {3},
	coarseTimer:     {1},
	leaseFromAnswer: {48, 71, 22},
	answersClosed:   {18},
	servesStaged:    {19, 165, 206},
	sameNumbers:     {3},
	cutsGrant:       {4},
	repeatsGrant:    {34, 7},
	doneEarly:       {216},
	leavesEarly:     {18},
	noStrangers:     {21, 10},
	sameID:          {4},
	dropsEvents:     {11},
	lateEvents:      {7, 11, 21},
	sendsAgain:      {42},
	deadlineAnew:    {1},
	overBudget:      {131},
	losesReplica:    {17},
	wakesBlindly:    {302},
	ignoresFence:    {378},
}

// A fault around the protocol is found by what TestSim checks: it could fail.
func TestSimFindsFaults(t *testing.T) {
	var table []string
	for f := range faultCount {
		t.Run(f.String(), func(t *testing.T) {
			seeds := wrongSeeds[f]
			if *simHunt > 0 {
				seeds = nil
				for i := range *simHunt {
					seeds = append(seeds, max(*simFrom, 1)+i)
				}
			}
			for range wrongTries {
				for _, seed := range seeds {
					s := runStorm(t, seed, func(s *storm) {
						s.wantsFaults = true
						s.change = func(c *Config) { c.faults = making(f) }
						if f != ignoresFence {
							s.plan.fence = 0 // which keeps many others from doing harm
						}
					})
					if s.first != "" {
						first, _, _ := strings.Cut(s.first, "\n")
						t.Logf("found with seed %d: %s", seed, first)
						table = append(table, fmt.Sprintf("%-66s seed %3d  %.150s", f, seed, first))
						return
					}
				}
				if *simHunt > 0 {
					break
				}
			}
			t.Errorf("not found with the seeds %v", seeds)
		})
	}
	t.Log("deliberate faults and what found them:\n" + strings.Join(table, "\n"))
}

package gossip

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// The bounds on detection that follow from the settings, by memberlist's
// formulas (state.go:1206, util.go).
func TestTune(t *testing.T) {
	c := tune()
	for nodes, want := range map[int][2]time.Duration{ // the suspicion, confirmed and not
		3:   {1500 * time.Millisecond, 3 * time.Second},
		10:  {1500 * time.Millisecond, 3 * time.Second},
		100: {3 * time.Second, 6 * time.Second},
	} {
		least := time.Duration(float64(c.SuspicionMult) * max(1, math.Log10(float64(nodes))) * float64(c.ProbeInterval))
		most := time.Duration(c.SuspicionMaxTimeoutMult) * least
		if least != want[0] || most != want[1] {
			t.Errorf("among %d a suspicion lasts %v to %v, want %v", nodes, least, most, want)
		}
	}
	if c.ProbeTimeout >= c.ProbeInterval {
		t.Error("no time is left for indirect probes")
	}
	if longest := c.ProbeInterval * time.Duration(c.AwarenessMaxMultiplier); longest > 2*time.Second {
		t.Errorf("Close's doc says two seconds, a probe may take %v", longest)
	}
	if c.DeadNodeReclaimTime == 0 || c.RetransmitMult < 6 || c.EnableCompression || !c.GossipVerifyIncoming || !c.GossipVerifyOutgoing {
		t.Errorf("%+v", c)
	}
}

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		label     string
		encrypted bool
		want      int
	}{
		{"", false, 1395}, // measured: 1396 bytes are never sent
		{"", true, 1395 - 29},
		{"abc", false, 1395 - 5},
		{"abc", true, 1395 - 34},
	} {
		if got := room(packetSize, c.label, c.encrypted) - messageFraming; got != c.want {
			t.Errorf("label %q, encrypted %v: %d, want %d", c.label, c.encrypted, got, c.want)
		}
	}
}

// Many nodes that start at once agree soon, and then are quiet.
func TestManyStartAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 30
		net := newNetwork()
		var all []*peer
		for i := range n {
			all = append(all, start(t, Config{
				ID: fmt.Sprint("n", i), Transport: net.host(i), Join: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			}))
		}
		begin := time.Now()
		meet(t, all...)
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%d nodes agree after %v", n, d)
		} else {
			t.Logf("%d nodes agree after %v", n, d)
		}
		time.Sleep(10 * time.Second)
		before := net.packetsSent()
		time.Sleep(10 * time.Second)
		if rate := float64(net.packetsSent()-before) / n / 10; rate > 5 { // 2 probes and 2 answers
			t.Errorf("at rest a node sends %.1f packets a second", rate)
		}
		for _, p := range all {
			for _, e := range p.all() {
				if e.Kind == Failed {
					t.Errorf("%s was told that %s failed", p.cfg.ID, e.Member.ID)
				}
			}
		}
	})
}

// On a real network with all processors busy nobody is taken for dead.
func TestNoFalseAlarmUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes three seconds of all processors")
	}
	all := starts(t, 5)
	stop := make(chan struct{})
	defer close(stop)
	for range 4 * runtime.GOMAXPROCS(0) {
		go func() { // ends with stop
			x := uint64(1)
			for {
				select {
				case <-stop:
					return
				default:
				}
				for range 100_000 {
					x = x*6364136223846793005 + 1
				}
			}
		}()
	}
	end := time.After(3 * time.Second)
	<-end
	for _, p := range all {
		for _, e := range p.all() {
			if e.Kind == Failed {
				t.Errorf("%s was told that %s failed", p.cfg.ID, e.Member.ID)
			}
		}
	}
}

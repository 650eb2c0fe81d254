package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestThreeNodesMeetThroughOneSeed(t *testing.T) {
	t.Parallel()
	all := starts(t, 3)
	for _, p := range all {
		for _, o := range all {
			if o == p {
				continue
			}
			if got := p.of(o.cfg.ID); got != "joined" {
				t.Errorf("%s was told of %s: %q", p.cfg.ID, o.cfg.ID, got)
			}
			i := slices.IndexFunc(p.Members(), func(m Member) bool { return m.ID == o.cfg.ID })
			if i < 0 || p.Members()[i].Addr != o.Addr() {
				t.Errorf("%s has %v, want %s at %s", p.cfg.ID, p.Members(), o.cfg.ID, o.Addr())
			}
		}
	}
	if _, port, err := net.SplitHostPort(all[0].Addr()); err != nil || port == "0" {
		t.Errorf("Addr is %q", all[0].Addr())
	}
}

func TestLeftIsToldFromFailed(t *testing.T) {
	t.Parallel()
	all := starts(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := all[1].Leave(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*peer{all[0], all[2]} {
		until(t, "n1 has left", func() bool { return p.of("n1") != "joined" })
		if got := p.of("n1"); got != "joined left" {
			t.Errorf("%s was told of n1: %q", p.cfg.ID, got)
		}
	}
	if err := all[2].Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "n2 has failed", func() bool { return all[0].of("n2") != "joined" })
	if got := all[0].of("n2"); got != "joined failed" {
		t.Errorf("n0 was told of n2: %q", got)
	}
	if got := all[0].ids(); got != "" {
		t.Errorf("n0 still has %q", got)
	}
}

// A death is noticed in two to three seconds, whether the process is gone (its
// port refuses) or its host is (nothing answers). Seldom it takes longer: when
// nobody confirms a suspicion, it lasts up to three seconds itself.
func TestDetection(t *testing.T) {
	for _, silent := range []bool{false, true} {
		for _, n := range []int{2, 3, 10} {
			t.Run(fmt.Sprintf("nodes=%d/silent=%v", n, silent), func(t *testing.T) {
				var took []time.Duration
				for range 5 {
					synctest.Test(t, func(t *testing.T) { took = append(took, detection(t, n, silent)) })
				}
				slices.Sort(took)
				t.Logf("noticed by all after %v", took)
				if took[0] < 1500*time.Millisecond || took[len(took)/2] > 3500*time.Millisecond || took[len(took)-1] > 5*time.Second {
					t.Errorf("noticed by all after %v, want 2 to 3 s as a rule", took)
				}
			})
		}
	}
}

// detection lets the last of n nodes die and returns when all have noticed.
func detection(t *testing.T, n int, silent bool) time.Duration {
	net, hosts, all := simulate(t, n)
	victim := fmt.Sprint("n", n-1)
	time.Sleep(20 * time.Second)
	begin := time.Now()
	if silent {
		at := hosts[n-1].addr.String()
		net.setCut(func(from, _ string) bool { return from == at })
	} else {
		go all[n-1].Close() // ends by itself
	}
	for _, p := range all[:n-1] {
		until(t, "the victim has failed", func() bool { return p.of(victim) != "joined" })
	}
	took := time.Since(begin)
	for _, p := range all[:n-1] {
		if got := p.of(victim); got != "joined failed" || len(p.Members()) != n-2 {
			t.Errorf("%s was told %q, and has %q", p.cfg.ID, got, p.ids())
		}
	}
	return took
}

// A node that is too busy to answer for a while is not taken for dead.
func TestNoFalseAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, hosts, all := simulate(t, 5)
		for i := range 100 {
			hosts[i%5].stall(time.Duration(200+10*i) * time.Millisecond) // up to 1.2 s
			time.Sleep(2 * time.Second)
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

func TestMetaSpreads(t *testing.T) {
	t.Parallel()
	a := start(t, Config{ID: "a", Meta: []byte("one")})
	b := start(t, Config{ID: "b", Join: []string{a.Addr()}})
	meet(t, a, b)
	if got := string(b.Members()[0].Meta); got != "one" {
		t.Fatalf("metadata %q, want one", got)
	}
	begin := time.Now()
	for i := range 20 {
		if err := a.SetMeta(fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(begin); d > time.Second {
		t.Errorf("20 calls of SetMeta took %v", d)
	}
	until(t, "the last metadata arrives", func() bool { return string(b.Members()[0].Meta) == "19" })
	until(t, "it is told", func() bool { e := b.all(); return string(e[len(e)-1].Member.Meta) == "19" })
	if e := b.all(); e[len(e)-1].Kind != Updated {
		t.Errorf("the last event is %v", e[len(e)-1])
	}
	if err := a.SetMeta(make([]byte, MaxMeta)); err != nil {
		t.Errorf("%d bytes: %v", MaxMeta, err)
	}
	if err := a.SetMeta(make([]byte, MaxMeta+1)); err == nil || !strings.Contains(err.Error(), "512") {
		t.Errorf("%d bytes: %v", MaxMeta+1, err)
	}
}

func TestStateIsMergedBothWays(t *testing.T) {
	t.Parallel()
	state := func(s string) func(bool) []byte { return func(bool) []byte { return []byte(s) } }
	a := start(t, Config{ID: "a", LocalState: state("of a")})
	b := start(t, Config{ID: "b", Join: []string{a.Addr()}, LocalState: state("of b")})
	until(t, "both have merged", func() bool {
		return slices.Contains(a.merged(), "of b") && slices.Contains(b.merged(), "of a")
	})
}

func TestMembersFromOnEvent(t *testing.T) {
	t.Parallel()
	seen := make(chan int, 10)
	var a *peer
	ready := make(chan struct{})
	a = start(t, Config{ID: "a", OnEvent: func(Event) {
		<-ready
		seen <- len(a.Members())
		_ = a.SetMeta([]byte("new"))
		_ = a.Broadcast([]byte("hello"))
	}})
	close(ready)
	start(t, Config{ID: "b", Join: []string{a.Addr()}})
	if n := <-seen; n != 1 {
		t.Errorf("Members has %d, want 1", n)
	}
}

func TestLeaveAndCloseInAnyOrder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b := start(t, Config{ID: "a"}), start(t, Config{ID: "b"})
	c := start(t, Config{ID: "c", Join: []string{a.Addr(), b.Addr()}})
	meet(t, a, b, c)
	for range 2 {
		if err := a.Leave(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := a.SetMeta(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("SetMeta after Leave: %v", err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := a.Leave(ctx); err != nil {
		t.Error(err)
	}
	if err := a.Broadcast(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Broadcast after Close: %v", err)
	}
	if err := a.SetMeta(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("SetMeta after Close: %v", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.Leave(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Leave with a context that has ended: %v", err)
	}
	_ = b.Close()
	if err := b.Leave(ctx); err != nil {
		t.Error(err)
	}
	go c.Leave(ctx) // ends with Close at the latest
	_ = c.Close()
}

func TestLeaveAloneDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := start(t, Config{ID: "a", Transport: newNetwork().host(0)})
		begin := time.Now()
		if err := a.Leave(t.Context()); err != nil || time.Since(begin) > 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// How long Leave takes, and that nobody who is left takes it for a failure.
func TestLeaveSpreads(t *testing.T) {
	for _, n := range []int{2, 10} {
		synctest.Test(t, func(t *testing.T) {
			_, _, all := simulate(t, n)
			time.Sleep(time.Minute)
			begin := time.Now()
			if err := all[n-1].Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d > time.Second {
				t.Errorf("among %d it took %v", n, d)
			} else {
				t.Logf("among %d it took %v", n, d)
			}
			_ = all[n-1].Close()
			time.Sleep(time.Minute)
			for _, p := range all[:n-1] {
				if got := p.of(fmt.Sprint("n", n-1)); got != "joined left" {
					t.Errorf("%s was told %q", p.cfg.ID, got)
				}
			}
		})
	}
}

func TestRestartWithAnotherIDAndAddress(t *testing.T) {
	t.Parallel()
	all := starts(t, 2)
	_ = all[1].Close()
	again := start(t, Config{ID: "n1/2", Join: []string{all[0].Addr()}})
	until(t, "the new one is in, the old one out", func() bool { return all[0].ids() == "n1/2" })
	until(t, "and that is told", func() bool { return all[0].of("n1") == "joined failed" })
	if got := again.ids(); got != "n0" && got != "n0 n1" {
		t.Errorf("the new one has %q", got)
	}
}

func TestRestartWithTheSameIDOnAnotherAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, _, all := simulate(t, 3)
		_ = all[2].Close()
		again := start(t, Config{ID: "n2", Transport: net.host(7), Join: []string{all[0].Addr()}})
		time.Sleep(time.Minute)
		meetAgain := func() bool {
			return all[0].ids() == "n1 n2" && all[1].ids() == "n0 n2" && again.ids() == "n0 n1"
		}
		if !meetAgain() {
			t.Errorf("members: %q, %q, %q", all[0].ids(), all[1].ids(), again.ids())
		}
		if got := all[0].Members()[1].Addr; got != again.Addr() {
			t.Errorf("n2 is at %s, want %s", got, again.Addr())
		}
	})
}

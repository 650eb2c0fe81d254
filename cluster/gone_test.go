package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peercache/peercache/internal/sim"
)

// A node whose process ends (Close looks the same: its port refuses) is out of
// every table at once, and its keys are served again, long before gossip has
// noticed.
func TestCrashIsNoticedAtOnce(t *testing.T) {
	nodes := startNodes(t, 5, nil)
	caches := openAll(t, nodes, "c")
	victim, rest := nodes[4], nodes[:4]
	var keys []string
	for i := 0; len(keys) < 50; i++ {
		if key := fmt.Sprint("k", i); victim.Where("c", key).Serving {
			keys = append(keys, key)
		}
	}
	begin := time.Now()
	victim.server.Close() // before its gossip, which takes its time
	for _, n := range rest {
		eventually(t, "it is dropped", func() bool { return n.members.link(victim.id) == nil })
	}
	dropped := time.Since(begin)
	for i, key := range keys {
		if err := caches[i%4].Set(context.Background(), key, []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("dropped after %v, its keys are served again after %v", dropped, time.Since(begin))
	waitAgreed(t, rest...)
}

func TestRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	_, err = net.Dial("tcp", addr)
	if !refused(fmt.Errorf("wire: %w", err)) {
		t.Errorf("%v is a refusal", err)
	}
	for _, err := range []error{
		nil, context.DeadlineExceeded, errReplaced,
		&net.OpError{Op: "dial", Err: syscall.EADDRNOTAVAIL}, // no local port is left
		&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
		&net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, // a full backlog
		&net.OpError{Op: "dial", Err: syscall.ECONNRESET},
		&net.OpError{Op: "read", Err: syscall.ECONNREFUSED},
		errors.New("connection refused"),
	} {
		if refused(err) {
			t.Errorf("%v is no refusal", err)
		}
	}
}

// A member that was taken out and is back may count on nobody's answer before it has
// acted upon that.
func TestAnswersAfterADrop(t *testing.T) {
	nodes := startNodes(t, 2, func(c *Config) { c.Fence = 1 })
	a, b := nodes[0], nodes[1]
	upholds := func(drops uint64) bool {
		_, ok := a.members.upholds(b.id, drops, 0)
		return ok
	}
	if !upholds(0) || upholds(1) {
		t.Error("a member that was never taken out is answered")
	}
	a.members.depart(b.id, false)
	if upholds(0) || upholds(1) {
		t.Error("who is not in the table is answered")
	}
	a.members.learn(fromGossip, b.members.me())
	waitAgreed(t, a, b)
	if upholds(0) || !upholds(1) {
		t.Error("who is back is answered without having heard of it")
	}
	b.members.mu.Lock()
	defer b.members.mu.Unlock()
	if got := b.members.others[a.id].theirs; got != 1 {
		t.Errorf("it has acted upon %d times", got)
	}
}

// What a node has confirmed, its clock says when it takes the other out, and when it leaves
// itself; from then on it confirms no more.
func TestConfirmedVersions(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		nodes := startNodes(t, 2, func(c *Config) { c.Fence = 2 })
		a, b := nodes[0], nodes[1]
		far := a.clock.physical() + 1<<40
		if got, ok := a.members.upholds(b.id, 0, far); got != far || !ok {
			t.Fatalf("%d is confirmed, %v", got, ok)
		}
		if a.clock.Now() >= far {
			t.Error("the clock is moved on by what is only confirmed")
		}
		if leaves {
			a.members.advance(leaving)
		} else {
			a.members.depart(b.id, true)
		}
		if a.clock.Now() < far {
			t.Errorf("leaving itself: %v; the clock is not moved on", leaves)
		}
		if got, ok := a.members.upholds(b.id, 0, far+9); got > far || ok != leaves {
			t.Errorf("leaving itself: %v; %d is confirmed after that, %v", leaves, got, ok)
		}
	}
}

// A Delete that begins when a process is known to be gone, and before the table without
// it is there, does not wait for it.
func TestSimDeleteWhileOneIsTakenOut(t *testing.T) {
	simulate(t, 6, sim.LAN(), func(s *simulation) {
		s.change = backups(0)
		nodes := s.cluster(3)
		s.settled()
		one, victim := nodes[0], nodes[2]
		key := s.ownedBy(one, "c", 1)[0]
		if err := one.c.Set(context.Background(), key, []byte("v")); err != nil {
			t.Fatal(err)
		}
		victim.proc.Freeze()
		one.void(victim.id)
		done := make(chan error)
		go func() { done <- one.c.Delete(context.Background(), key) }() // ends with the Delete
		synctest.Wait()
		began := time.Now()
		one.members.refuse(victim.id)
		if err := <-done; err != nil || time.Since(began) > 100*time.Millisecond {
			t.Errorf("it took %v: %v", time.Since(began), err)
		}
		victim.proc.Thaw()
	})
}

//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// While a member is silent, calls that need it end in time with what is wrong.
// A delete that it did not confirm is done when it can.
func TestProcessSilentMember(t *testing.T) {
	n1 := startProgram(t, append(freePorts, "-name", "n1")...).accepts(t)
	n2 := startProgram(t, append(freePorts, "-name", "n2", "-join", n1.line.Gossip)...).accepts(t)
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	do := func(p *program, method, path, body string, into any) int {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+p.line.HTTP+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 && into != nil {
			if err := json.Unmarshal(b, into); err != nil {
				t.Fatalf("%s: %v", b, err)
			}
		}
		return res.StatusCode
	}
	wait := func(what string, f func() bool) {
		t.Helper()
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		giveUp := time.After(2 * time.Minute)
		for !f() {
			select {
			case <-look.C:
			case <-giveUp:
				t.Fatal("not within 2 minutes: " + what)
			}
		}
	}
	wait("both serve", func() bool {
		active, slots := 0, 0
		for _, p := range []*program{n1, n2} {
			var stats struct {
				Active  int `json:"slots_active"`
				Slots   int `json:"slots"`
				Members int `json:"members"`
			}
			do(p, "GET", "/v1/stats", "", &stats)
			if stats.Members != 2 {
				return false
			}
			active += stats.Active
			slots = stats.Slots
		}
		return active == slots
	})
	var mine, theirs string
	for i := 0; mine == "" || theirs == ""; i++ {
		key := fmt.Sprintf("k%d", i)
		wait("written", func() bool { return do(n1, "PUT", "/v1/caches/c/"+key, "v", nil) == http.StatusNoContent })
		var w struct{ Owner string }
		do(n1, "GET", "/v1/where?cache=c&key="+key, "", &w)
		if w.Owner == "n1" {
			mine = key
		} else {
			theirs = key
		}
	}
	if err := n2.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var ws syscall.WaitStatus // the signal takes effect some time after it was sent
	if _, err := syscall.Wait4(n2.cmd.Process.Pid, &ws, syscall.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("n2 is not stopped: %v, error %v", ws, err)
	}
	var p problem
	if status := do(n1, "DELETE", "/v1/caches/c/"+mine, "", &p); status != http.StatusServiceUnavailable || p.Code != "partial" || fmt.Sprint(p.Members) != "[n2]" {
		t.Errorf("DELETE that n2 does not confirm: %d %+v", status, p)
	}
	begun := time.Now()
	status := do(n1, "PUT", "/v1/caches/c/"+theirs, "w", &p)
	if status != http.StatusGatewayTimeout && status != http.StatusServiceUnavailable { // the latter where n2 is dropped meanwhile
		t.Errorf("PUT at a silent owner: %d %+v after %v", status, p, time.Since(begun))
	}
	if err := n2.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*program{n1, n2} {
		wait("deleted", func() bool { return do(n, "GET", "/v1/caches/c/"+mine, "", nil) == http.StatusNotFound })
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program in this process: its output, signals and exit status.
type inProcess struct {
	t       *testing.T
	signals chan os.Signal
	status  chan int
	log     lockedBuffer
	http    string
	gossip  string
	client  *http.Client
}

type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startRun(t *testing.T, args ...string) *inProcess {
	t.Helper()
	p := &inProcess{t: t, signals: make(chan os.Signal, 2), status: make(chan int, 1), client: &http.Client{Timeout: time.Minute}}
	r, w := io.Pipe()
	go func() { // ends with the signals of the test
		p.status <- run(append(freePorts, args...), variables(), w, &p.log, p.signals)
		_ = w.Close()
	}()
	var line struct{ HTTP, Gossip string }
	if err := json.NewDecoder(r).Decode(&line); err != nil {
		t.Fatalf("no first line: %v\n%s", err, p.log.String())
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with run
	p.http, p.gossip = "http://"+line.HTTP, line.Gossip
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// get returns the status and the body, or zero where nobody answers.
func (p *inProcess) get(path string) (int, string) {
	res, err := p.client.Get(p.http + path)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body) // the status is what counts
	return res.StatusCode, string(b)
}

func (p *inProcess) waitReady() {
	p.t.Helper()
	p.until("ready", func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
}

// put writes, and again where a busy machine did not manage it in time.
func (p *inProcess) put(path, value string) {
	p.t.Helper()
	p.until("written", func() bool {
		req, err := http.NewRequest(http.MethodPut, p.http+path, strings.NewReader(value))
		if err != nil {
			p.t.Fatal(err)
		}
		res, err := p.client.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNoContent && res.StatusCode != http.StatusGatewayTimeout {
			p.t.Fatalf("PUT %s: %d", path, res.StatusCode)
		}
		return res.StatusCode == http.StatusNoContent
	})
}

// until waits for a condition.
func (p *inProcess) until(what string, f func() bool) {
	p.t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	giveUp := time.After(2 * time.Minute)
	for !f() {
		select {
		case <-look.C:
		case <-giveUp:
			p.t.Fatalf("not %s\n%s", what, p.log.String())
		}
	}
}

func (p *inProcess) ends(want int) {
	p.t.Helper()
	select {
	case status := <-p.status:
		if status != want {
			p.t.Errorf("exit status %d, want %d\n%s", status, want, p.log.String())
		}
	case <-time.After(time.Minute):
		p.t.Fatalf("it does not end\n%s", p.log.String())
	}
}

// While it leaves, a node answers and says that it leaves; what it had is with
// the others then. No goroutine is left (TestMain).
func TestRunLeaves(t *testing.T) {
	n1 := startRun(t, "-name", "n1", "-leave-timeout", "2m")
	n1.waitReady()
	n2 := startRun(t, "-name", "n2", "-join", n1.gossip, "-leave-timeout", "2m")
	n2.waitReady()
	keys := strings.Fields("a b c d e f g h")
	for _, key := range keys {
		n2.put("/v1/caches/c/"+key, "value "+key)
	}
	n2.signals <- syscall.SIGTERM
	leaving := false
	for { // until nobody answers any longer
		status, body := n2.get("/readyz")
		if status == 0 {
			break
		}
		if status == http.StatusServiceUnavailable {
			leaving = leaving || strings.Contains(body, "leaving")
		} else if leaving {
			t.Errorf("ready again while it leaves: %d %s", status, body)
		}
	}
	n2.ends(exitOK)
	if !leaving {
		t.Error("it never said that it leaves")
	}
	for _, key := range keys {
		if status, body := n1.get("/v1/caches/c/" + key); status != http.StatusOK || body != "value "+key {
			t.Errorf("%s after the leave: %d %s", key, status, body)
		}
	}
	n1.signals <- os.Interrupt
	n1.ends(exitOK)
}

func TestRunSecondSignal(t *testing.T) {
	p := startRun(t, "-leave-timeout", "1h")
	p.signals <- syscall.SIGTERM
	p.signals <- syscall.SIGTERM
	p.ends(exitFailed)
	if !strings.Contains(p.log.String(), "ending at once") {
		t.Errorf("log: %s", p.log.String())
	}
}

// A first line that nobody can read is a failed start.
func TestRunWithoutOutput(t *testing.T) {
	var log bytes.Buffer
	if status := run(freePorts, variables(), brokenWriter{}, &log, nil); status != exitFailed || !strings.Contains(log.String(), "first line") {
		t.Errorf("exit status %d: %s", status, log.String())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

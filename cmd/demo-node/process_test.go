package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is this test binary running as demo-node, in a process of its own.
type program struct {
	cmd      *exec.Cmd
	stdout   *os.File
	stderr   bytes.Buffer // to be read after the end
	line     struct{ Name, Gossip, Peer, HTTP string }
	buffered string // what was read after it
}

func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p := &program{cmd: exec.Command(self, args...), stdout: r}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = w, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails when it has ended
		_ = p.cmd.Wait()
		_ = r.Close()
	})
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return p
}

// accepts waits for the first line.
func (p *program) accepts(t *testing.T) *program {
	t.Helper()
	d := json.NewDecoder(p.stdout)
	d.DisallowUnknownFields()
	if err := d.Decode(&p.line); err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		t.Fatalf("no first line: %v\n%s", err, p.stderr.String())
	}
	rest, _ := io.ReadAll(d.Buffered()) // from memory
	p.buffered = string(rest)
	return p
}

// ends waits for the end and returns the exit status.
func (p *program) ends(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait() // the status says it
	return p.cmd.ProcessState.ExitCode()
}

var freePorts = []string{"-bind", "127.0.0.1:0", "-http", "127.0.0.1:0"}

func TestProcessStartsAndLeaves(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := startProgram(t, append(freePorts, "-name", "n1")...).accepts(t)
		if p.line.Name != "n1" {
			t.Errorf("first line %+v", p.line)
		}
		seen := make(map[string]bool)
		for _, addr := range []string{p.line.Gossip, p.line.Peer, p.line.HTTP} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatalf("it does not accept on %q: %v", addr, err)
			}
			_ = conn.Close()
			seen[addr] = true
		}
		if len(seen) != 3 {
			t.Errorf("first line %+v", p.line)
		}
		res, err := http.Get("http://" + p.line.HTTP + "/healthz")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("healthz: %+v, error %v", res, err)
		}
		_ = res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		var rest bytes.Buffer
		if _, err := rest.ReadFrom(p.stdout); err != nil || strings.TrimSpace(p.buffered+rest.String()) != "" {
			t.Errorf("more on standard output: %q, error %v", p.buffered+rest.String(), err)
		}
		if status := p.ends(t); status != exitOK {
			t.Errorf("%v: exit status %d\n%s", s, status, p.stderr.String())
		}
		if log := p.stderr.String(); !strings.Contains(log, "leaving") || !strings.Contains(log, "node=n1") {
			t.Errorf("log: %s", log)
		}
	}
}

// A start that fails says why in one line, and ends with 1.
func TestProcessStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("too short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-http", addr}, "-http " + addr},
		{[]string{"-bind", addr}, "Bind " + addr},
		{[]string{"-peer", addr}, "Peer " + addr},
		{[]string{"-secret-file", short}, "secret of 9 bytes is too short"},
		{[]string{"-secret-file", short + "er"}, "no such file"},
		{[]string{"-bind", "0.0.0.0:0"}, "needs a Secret"},
		{[]string{"-memory", "1"}, "Memory"},
	} {
		p := startProgram(t, append(append(freePorts, "-log-level", "error"), c.args...)...)
		status := p.ends(t)
		line := p.stderr.String()
		if status != exitFailed || !strings.HasPrefix(line, "demo-node: ") || strings.Count(line, "\n") != 1 || !strings.Contains(line, c.want) {
			t.Errorf("%v: exit status %d, %q, want %q", c.args, status, line, c.want)
		}
	}
}

// The peer port is the next free one after the gossip port.
func TestProcessPeerPort(t *testing.T) {
	bind, next := portsInARow(t)
	p := startProgram(t, "-bind", bind, "-http", "127.0.0.1:0").accepts(t)
	_, port, err := net.SplitHostPort(p.line.Peer)
	if got, _ := strconv.Atoi(port); err != nil || p.line.Gossip != bind || got <= next || got > next+peerTries {
		t.Errorf("%+v, want the gossip at %s and the peers after port %d", p.line, bind, next)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.ends(t); status != exitOK {
		t.Errorf("exit status %d\n%s", status, p.stderr.String())
	}
}

// portsInARow returns a free address whose next port is taken until the end of
// the test, and that port.
func portsInARow(t *testing.T) (bind string, next int) {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		after, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = ln.Close()
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = after.Close() })
		return fmt.Sprintf("127.0.0.1:%d", port), port + 1
	}
	t.Fatal("no two free ports in a row")
	return "", 0
}

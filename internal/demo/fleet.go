package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// A fleet is the processes of the demo and their directory.
type fleet struct {
	dir, program, secretFile string

	mu        sync.Mutex // guards what follows
	processes []*process
}

// newFleet makes a secret for the nodes.
func newFleet(dir string) (*fleet, error) {
	f := &fleet{dir: dir, program: filepath.Join(dir, "demo-node"), secretFile: filepath.Join(dir, "secret")}
	if err := os.WriteFile(f.secretFile, []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *fleet) build(ctx context.Context, goTool, root string) error {
	cmd := exec.CommandContext(ctx, goTool, "build", "-o", f.program, "./cmd/demo-node")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building ./cmd/demo-node: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// start starts a node on free ports and returns when it accepts on them.
func (f *fleet) start(ctx context.Context, name string, join []*node) (*node, error) {
	args := []string{
		"-name", name, "-bind", "127.0.0.1:0", "-http", "127.0.0.1:0", "-secret-file", f.secretFile, "-leave-timeout", "20s",
	}
	var addrs []string
	for _, n := range join {
		addrs = append(addrs, n.Gossip)
	}
	if len(addrs) > 0 {
		args = append(args, "-join", strings.Join(addrs, ","))
	}
	p, err := startProcess(filepath.Join(f.dir, name+".log"), f.program, args...)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	f.mu.Lock()
	f.processes = append(f.processes, p)
	f.mu.Unlock()
	n, err := p.firstLine(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	n.process = p
	n.URL = "http://" + n.HTTP
	return n, nil
}

// stop asks a node to leave, and wants it to end in order.
func (f *fleet) stop(ctx context.Context, n *node) error {
	if err := n.process.leave(ctx); err != nil {
		return fmt.Errorf("stopping %s: %w", n.Name, err)
	}
	return nil
}

// killAll ends what is still running.
func (f *fleet) killAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.processes {
		p.kill()
	}
}

const logTail = 15 // lines

// printLogs shows the end of what every node has logged.
func (f *fleet) printLogs(s *screen) {
	logs, err := filepath.Glob(filepath.Join(f.dir, "*.log"))
	for _, path := range logs {
		b, readErr := os.ReadFile(path)
		err = errors.Join(err, readErr)
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		s.text("")
		s.text("the end of " + filepath.Base(path) + ":")
		for _, line := range lines[max(0, len(lines)-logTail):] {
			s.text("  " + line)
		}
	}
	if err != nil {
		s.text(err.Error())
	}
}

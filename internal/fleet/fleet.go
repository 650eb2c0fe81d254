// Package fleet runs demo nodes as processes on this machine and calls them over
// HTTP, for programs that show and try what a cluster does.
package fleet

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

// A Fleet is the processes of one program and their directory.
type Fleet struct {
	// Args are given to every node beside those that Start makes.
	Args []string
	// Wrap, if set, is a command that runs a node of that name: a network
	// namespace's. Bind is then the host that it binds to.
	Wrap func(name string) (command []string, bind string)

	dir, program, secretFile string

	mu        sync.Mutex // guards what follows
	processes []*Process
}

// New makes a secret for the nodes, in a directory of the caller's.
func New(dir string) (*Fleet, error) {
	f := &Fleet{dir: dir, program: filepath.Join(dir, "demo-node"), secretFile: filepath.Join(dir, "secret")}
	if err := os.WriteFile(f.secretFile, []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		return nil, err
	}
	return f, nil
}

// In returns a fleet of the same program and secret with a directory of its own.
func (f *Fleet) In(dir string) *Fleet {
	return &Fleet{dir: dir, program: f.program, secretFile: f.secretFile}
}

// Program and SecretFile are paths.
func (f *Fleet) Program() string    { return f.program }
func (f *Fleet) SecretFile() string { return f.secretFile }

// Build builds the nodes' program from the module at root.
func (f *Fleet) Build(ctx context.Context, goTool, root string) error {
	cmd := exec.CommandContext(ctx, goTool, "build", "-o", f.program, "./cmd/demo-node")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building ./cmd/demo-node: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Start starts a node on free ports and returns when it accepts on them.
func (f *Fleet) Start(ctx context.Context, name string, join []*Node) (*Node, error) {
	command, bind := []string(nil), "127.0.0.1"
	if f.Wrap != nil {
		command, bind = f.Wrap(name)
	}
	command = append(command, f.program, "-name", name, "-bind", bind+":0", "-http", bind+":0",
		"-secret-file", f.secretFile, "-leave-timeout", "20s")
	var addrs []string
	for _, n := range join {
		addrs = append(addrs, n.Gossip)
	}
	if len(addrs) > 0 {
		command = append(command, "-join", strings.Join(addrs, ","))
	}
	command = append(command, f.Args...)
	p, err := StartProcess(filepath.Join(f.dir, name+".log"), command[0], command[1:]...)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	f.mu.Lock()
	f.processes = append(f.processes, p)
	f.mu.Unlock()
	n, err := p.FirstLine(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	n.Process = p
	n.URL = "http://" + n.HTTP
	return n, nil
}

// Stop asks a node to leave, and wants it to end in order.
func (f *Fleet) Stop(ctx context.Context, n *Node) error {
	if err := n.Process.Leave(ctx); err != nil {
		return fmt.Errorf("stopping %s: %w", n.Name, err)
	}
	return nil
}

// Kill ends a node as a crash does, and returns when it is gone.
func (f *Fleet) Kill(n *Node) { n.Process.Kill() }

// KillAll ends what is still running.
func (f *Fleet) KillAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.processes {
		p.Kill()
	}
}

const logTail = 15 // lines

// Logs returns the end of what every node has logged.
func (f *Fleet) Logs() []string {
	var text []string
	logs, err := filepath.Glob(filepath.Join(f.dir, "*.log"))
	for _, path := range logs {
		b, readErr := os.ReadFile(path)
		err = errors.Join(err, readErr)
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		text = append(text, "", "the end of "+filepath.Base(path)+":")
		for _, line := range lines[max(0, len(lines)-logTail):] {
			text = append(text, "  "+line)
		}
	}
	if err != nil {
		text = append(text, err.Error())
	}
	return text
}

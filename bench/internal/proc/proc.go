// Package proc runs the parts of a measurement as processes of their own.
//
// A program starts itself again in a role. Parent and child talk in lines of
// JSON over the child's stdin and stdout: the parent asks, the child answers,
// one question at a time. A child ends when its stdin does, so none outlives a
// parent that was killed, and what a child has to say to a person goes to
// stderr.
package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	roleVar = "PEERCACHE_BENCH_ROLE"
	cpuVar  = "PEERCACHE_BENCH_CPU"
	nameVar = "PEERCACHE_BENCH_NAME"

	maxLine = 64 << 20 // bytes
	// stopFor is how long a child may take to end by itself.
	stopFor = 2 * time.Second
)

type question struct {
	Do   string          `json:"do"`
	With json.RawMessage `json:"with,omitempty"`
}

type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// Options say how a child runs.
type Options struct {
	// Name stands before the lines that the child writes to stderr.
	Name string
	// CPU, if not nil, is the only processor that the child runs on.
	CPU *int
	// OwnNetwork gives the child a network that nobody else is on (Linux, where
	// the system allows it).
	OwnNetwork bool
}

// Child is a process that was started in a role. Its methods may be called from
// any goroutine; questions are asked one after the other.
type Child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when the process has ended

	mu    sync.Mutex // held from a question to its answer
	lines *bufio.Scanner

	stop sync.Once
}

// Start runs this program again as a child in a role. The child is in a process
// group of its own, so that an interrupt from the terminal reaches only the
// parent, who is to Stop it.
func Start(role string, o Options) (*Child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("proc: %w", err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVar+"="+role, nameVar+"="+o.Name)
	if o.CPU != nil {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", cpuVar, *o.CPU))
	}
	cmd.SysProcAttr = attributes(o.OwnNetwork)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("proc: %w", err)
	}
	// The pipe is not cmd.StdoutPipe: Wait would close that while a line is read.
	out, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("proc: %w", err)
	}
	cmd.Stdout = w
	cmd.Stderr = &prefixed{prefix: o.Name + ": "}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("proc: starting %s: %w", role, err)
	}
	c := &Child{name: o.Name, cmd: cmd, in: in, done: make(chan struct{}), lines: bufio.NewScanner(out)}
	c.lines.Buffer(nil, maxLine)
	go func() { // ends with the process, which Stop ends
		defer close(c.done)
		_ = cmd.Wait()
	}()
	return c, nil
}

// Name returns the child's name.
func (c *Child) Name() string { return c.name }

// Ask asks the child a question and decodes its answer into result, which may
// be nil. When ctx ends first the child is killed: there is nothing else that
// could be known about it.
func (c *Child) Ask(ctx context.Context, do string, with, result any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := question{Do: do}
	var err error
	if with != nil {
		if q.With, err = json.Marshal(with); err != nil {
			return fmt.Errorf("proc: %s: %s: %w", c.name, do, err)
		}
	}
	line, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("proc: %s: %s: %w", c.name, do, err)
	}
	giveUp := context.AfterFunc(ctx, c.kill)
	defer giveUp()
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return c.lost(ctx, do, err)
	}
	if !c.lines.Scan() {
		return c.lost(ctx, do, c.lines.Err())
	}
	var a answer
	if err := json.Unmarshal(c.lines.Bytes(), &a); err != nil {
		return fmt.Errorf("proc: %s: %s: the answer is not understood: %w", c.name, do, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%s: %s: %s", c.name, do, a.Error)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("proc: %s: %s: the answer is not understood: %w", c.name, do, err)
	}
	return nil
}

func (c *Child) lost(ctx context.Context, do string, err error) error {
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("proc: %s: %s: the process is gone: %w", c.name, do, err)
}

func (c *Child) kill() { _ = c.cmd.Process.Kill() }

// Stop ends the child: it is asked to, and killed when it does not. It returns
// when the process is gone.
func (c *Child) Stop() {
	c.stop.Do(func() { _ = c.in.Close() })
	t := time.NewTimer(stopFor)
	defer t.Stop()
	select {
	case <-c.done:
		return
	case <-t.C:
	}
	c.kill()
	<-c.done
}

// Group is the children of one program, for stopping them together.
type Group struct {
	mu   sync.Mutex // guards list
	list []*Child
}

// Start is Start of a child that belongs to the group.
func (g *Group) Start(role string, o Options) (*Child, error) {
	c, err := Start(role, o)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, c)
	return c, nil
}

// Stop stops all children, the last one first.
func (g *Group) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.list { // all learn of it at the same time
		c.stop.Do(func() { _ = c.in.Close() })
	}
	for _, c := range g.list {
		c.Stop()
	}
	g.list = nil
}

// ErrNoRole says that this process was not started as a child.
var ErrNoRole = errors.New("proc: not a child")

package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	startFor = 15 * time.Second
	leaveFor = 30 * time.Second
)

// Process is a running program. One goroutine waits for its end and closes
// ended then.
type Process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	ended  chan struct{}
	err    error // of Wait, written before ended is closed
}

// Ended is closed when the program is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal, as an error where the program is gone.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// StartProcess starts a program that logs into a file. What it would take from
// this process's own PEERCACHE_ variables is left out.
func StartProcess(logFile, program string, args ...string) (*Process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = w, log
	cmd.SysProcAttr = ownGroup()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PEERCACHE_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if err := cmd.Start(); err != nil {
		_ = r.Close()
		return nil, err
	}
	p := &Process{cmd: cmd, stdout: r, ended: make(chan struct{})}
	go func() { // ends with the program, which kill sees to
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// FirstLine waits for what a node prints when it accepts on its ports.
func (p *Process) FirstLine(ctx context.Context) (*Node, error) {
	ctx, cancel := context.WithTimeout(ctx, startFor)
	defer cancel()
	type result struct {
		n   Node
		err error
	}
	done := make(chan result, 1)
	go func() { // ends with the line, or when the pipe is closed
		var r result
		line, err := bufio.NewReader(io.LimitReader(p.stdout, 4096)).ReadBytes('\n')
		if err != nil {
			r.err = errors.New("it printed no address: its log says why")
		} else if err := json.Unmarshal(line, &r.n); err != nil {
			r.err = fmt.Errorf("its first line %q is not JSON: %w", line, err)
		}
		done <- r
	}()
	select {
	case r := <-done:
		return &r.n, errors.Join(r.err, p.stdout.Close())
	case <-ctx.Done():
		_ = p.stdout.Close() // ends the goroutine
		<-done
		return nil, fmt.Errorf("it did not accept connections in time: %w", ctx.Err())
	}
}

// Leave sends SIGTERM and waits for the end, which must be in order.
func (p *Process) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveFor)
	defer cancel()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("it is not running any more: %w", err)
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("it did not leave in order: %w", p.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("it did not leave in time: %w", ctx.Err())
	}
}

// Kill ends the program, if it has not ended, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails when it has ended
	<-p.ended
	_ = p.stdout.Close()
}

package product

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// program is a server that is not ours, kept by a process that is.
type program struct {
	cmd  *exec.Cmd
	end  chan struct{} // closed by stop
	done chan struct{} // closed when the process has ended
	said *bytes.Buffer // what it wrote; read when done is closed
	addr string
}

// startProgram starts a server on a port of its own and waits until it accepts
// connections.
func startProgram(port int, name string, args ...string) (*program, error) {
	p := &program{
		cmd: exec.Command(name, args...), end: make(chan struct{}), done: make(chan struct{}), said: new(bytes.Buffer),
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.SysProcAttr = diesWithParent()
	started := make(chan error, 1)
	// Ends when the program does, which stop sees to. The system ends the program
	// with the thread that has started it, so this one is kept.
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	for until := time.Now().Add(5 * time.Second); ; {
		c, err := net.DialTimeout("tcp", p.addr, time.Second)
		if err == nil {
			_ = c.Close()
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s has ended: %s", name, p.said)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(until) {
			p.stop()
			return nil, fmt.Errorf("%s does not listen: %w", name, err)
		}
	}
}

func (p *program) stop() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// usage reads what all its threads have used.
func (p *program) usage() (Usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid))
	tasks, err := filepath.Glob(filepath.Join(dir, "task", "*", "schedstat"))
	if err != nil || len(tasks) == 0 {
		return Usage{}, fmt.Errorf("no threads of process %d are found", p.cmd.Process.Pid)
	}
	var u Usage
	for _, t := range tasks {
		b, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended
		}
		ns, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("%s: %w", t, err)
		}
		u.CPU += time.Duration(n)
	}
	u.RSS, err = RSS(p.cmd.Process.Pid)
	return u, err
}

// RSS returns the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, fmt.Errorf("statm of process %d is not understood", pid)
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// freePorts finds ports on which nobody listens.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = ln.Close() }() // all at the end, so that they differ
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

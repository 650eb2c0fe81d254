//go:build unix

package wire

import (
	"io"
	"net"
	"syscall"
)

// A socket of the network poller's never blocks, so that a short system call on it need
// not tell the scheduler that its thread may be away (see socket_linux.go for what that
// brings). What it would wait for is waited for in RawConn, as in net.Conn.

// attempt writes to a TCP socket without waiting.
type attempt struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // made once, so that a write allocates nothing
	b    []byte
	n    int
	err  error
}

func (a *attempt) init(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	a.raw, a.call = raw, a.once
}

func (a *attempt) able() bool { return a.raw != nil }

func (a *attempt) once(fd uintptr) bool {
	for {
		a.n, a.err = writeNow(fd, a.b)
		switch a.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			a.n, a.err = 0, nil
		}
		return true
	}
}

func (a *attempt) write(b []byte) (int, error) {
	a.b = b
	err := a.raw.Write(a.call)
	a.b = nil
	if err == nil {
		err = a.err
	}
	return max(a.n, 0), err
}

// direct reads from a TCP socket, and waits as net.Conn's Read does.
type direct struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // made once, so that a read allocates nothing
	b    []byte
	n    int
	err  error
}

// readerOf returns what to read a connection through. One goroutine at a time may.
func readerOf(nc net.Conn) io.Reader {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	d := &direct{raw: raw}
	d.call = d.once
	return d
}

func (d *direct) once(fd uintptr) bool {
	for {
		d.n, d.err = readNow(fd, d.b)
		switch d.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		return true
	}
}

// Read implements io.Reader.
func (d *direct) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	d.b = b[:min(len(b), bareSize)]
	err := d.raw.Read(d.call)
	d.b = nil
	switch {
	case err != nil:
		return 0, err
	case d.err != nil:
		return 0, d.err
	case d.n == 0:
		return 0, io.EOF
	}
	return d.n, nil
}

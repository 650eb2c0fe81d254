//go:build unix

package wire

import (
	"net"
	"syscall"
)

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
		a.n, a.err = syscall.Write(int(fd), a.b)
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

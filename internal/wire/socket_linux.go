//go:build !race

package wire

import (
	"syscall"
	"unsafe"
)

// writeNow and readNow are the bare system calls. The usual ones tell the scheduler
// that a thread may be away for long. Where a process has been idle that wakes the
// runtime's monitor (sysmon), a thread of its own, which finds nothing to do: for a node
// that is asked for little at a time this costs more than the call itself. What they are
// given is bounded (bareSize): meanwhile the scheduler can do nothing with the processor.

func writeNow(fd uintptr, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return outcome(n, errno)
}

func readNow(fd uintptr, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return outcome(n, errno)
}

func outcome(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

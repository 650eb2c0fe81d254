//go:build unix && (!linux || race)

package wire

import "syscall"

// writeNow and readNow are the usual system calls. The race detector sees what these do
// with their buffers.

func writeNow(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }

func readNow(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

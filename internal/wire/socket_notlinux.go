//go:build unix && !linux

package wire

import "syscall"

// writeNow and readNow are the usual system calls.

func writeNow(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }

func readNow(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

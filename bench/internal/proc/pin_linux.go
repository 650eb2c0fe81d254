package proc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// pin binds this process to one processor. The threads of a running program
// have each their own binding, so the program is started anew from a thread that
// is bound: what it is then inherits that, and its GOMAXPROCS follows.
func pin(cpu string) error {
	if cpu == "" {
		return nil
	}
	n, err := strconv.Atoi(cpu)
	if err != nil {
		return fmt.Errorf("proc: processor %q is no number", cpu)
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("proc: processor %d: %w", n, err)
	}
	if err := os.Unsetenv(cpuVar); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	return syscall.Exec(exe, os.Args, os.Environ())
}

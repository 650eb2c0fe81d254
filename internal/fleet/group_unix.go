//go:build unix

package fleet

import "syscall"

// ownGroup keeps the terminal's Ctrl-C from the nodes: the demo stops them.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

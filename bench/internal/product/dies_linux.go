package product

import "syscall"

// diesWithParent lets the system kill a program whose keeper is killed.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

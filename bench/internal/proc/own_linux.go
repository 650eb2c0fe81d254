package proc

import (
	"os"
	"syscall"
)

// attributes put a child into a process group of its own and, if asked for,
// into a network of its own, whose only interface is loopback.
func attributes(ownNetwork bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if !ownNetwork {
		return a
	}
	a.Cloneflags = syscall.CLONE_NEWNET
	if os.Getuid() != 0 { // only root may, but everybody is root in a user namespace of his own
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}

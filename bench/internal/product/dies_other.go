//go:build !linux

package product

import "syscall"

func diesWithParent() *syscall.SysProcAttr { return nil }

//go:build !linux

package integration

import "syscall"

// dieWithParent can promise nothing here.
func dieWithParent() *syscall.SysProcAttr { return nil }

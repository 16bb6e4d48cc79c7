package integration

import "syscall"

// dieWithParent makes the kernel kill the child with us, even when we crash.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

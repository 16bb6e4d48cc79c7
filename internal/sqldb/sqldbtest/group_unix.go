//go:build unix

package sqldbtest

import "syscall"

// ownGroup keeps the signals of the terminal from the child.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

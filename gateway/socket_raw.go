//go:build linux && !386 && !race

package gateway

import (
	"syscall"
	"unsafe"
)

// The system calls of this file are made without a word to Go's scheduler. They
// do not block here, and the word costs more than they do: in a process that has
// nothing else to do each would wake a thread that watches for those that block.
// Nor does the race detector hear of them, so it gets those of socket_syscall.go.

func sysRead(fd int, p []byte) (int, error)  { return raw(syscall.SYS_READ, fd, p) }
func sysWrite(fd int, p []byte) (int, error) { return raw(syscall.SYS_WRITE, fd, p) }

func raw(call uintptr, fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func sysQuickAck(fd int) {
	on := int32(1)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd),
		syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
}

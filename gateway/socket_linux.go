package gateway

import (
	"syscall"
	"unsafe"
)

// acknowledge sends the acknowledgement that is due. The kernel goes back to
// delaying them by itself, so this is done after each read.
func (d descriptor) acknowledge() {
	on := int32(1)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(d),
		syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
}

// sysRead and sysWrite are the system calls without a word to Go's scheduler. They
// do not block here, and the word costs more than they do: in a process that has
// nothing else to do each would wake a thread that watches for those that block.
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

//go:build linux && (386 || race)

package gateway

import "syscall"

func sysQuickAck(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}

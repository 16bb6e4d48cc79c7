package gateway

import "syscall"

// acknowledge sends the acknowledgement that is due. The kernel goes back to
// delaying them by itself, so this is done after each read.
func (d descriptor) acknowledge() {
	_ = syscall.SetsockoptInt(int(d), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}

//go:build unix

package gateway

import (
	"io"
	"syscall"
)

// rawIO says that a descriptor can be read and written as it is.
const rawIO = true

// descriptor is a socket that does not block.
type descriptor uintptr

// Read is io.Reader's. It returns errAgain where another would wait.
func (d descriptor) Read(p []byte) (int, error) {
	n, err := d.call(sysRead, p)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (d descriptor) write(p []byte) (int, error) { return d.call(sysWrite, p) }

// call makes a system call that a signal may interrupt.
func (d descriptor) call(f func(fd int, p []byte) (int, error), p []byte) (int, error) {
	for {
		switch n, err := f(int(d), p); err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, errAgain
		default:
			return 0, err
		}
	}
}

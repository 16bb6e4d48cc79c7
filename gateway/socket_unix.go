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
	for {
		n, err := syscall.Read(int(d), p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, errAgain
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (d descriptor) write(p []byte) (int, error) {
	for {
		n, err := syscall.Write(int(d), p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, errAgain
		case err != nil:
			return 0, err
		default:
			return n, nil
		}
	}
}

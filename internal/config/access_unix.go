//go:build unix

package config

import "syscall"

// writable asks the system whether this process may write to path, without
// writing to it.
func writable(path string) error {
	const write = 2 // W_OK of access(2)
	return syscall.Access(path, write)
}

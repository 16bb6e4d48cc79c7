//go:build !linux

package extauth

// Slim has nothing to do here.
func Slim() {}

//go:build !linux

package gateway

import "net"

// setUserTimeout does nothing where the system has no such option.
func setUserTimeout(net.Conn) {}

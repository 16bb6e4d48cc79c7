package main

import (
	"net"
	"strings"
)

// systemd is the service manager that started us, if one did: it holds the
// value of NOTIFY_SOCKET, see sd_notify(3).
type systemd struct{ socket string }

// notify tells the service manager a state. Nobody listening is no error: the
// program runs the same without one.
func (s systemd) notify(state string) {
	if s.socket == "" {
		return
	}
	name := s.socket
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:] // Linux's abstract namespace
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(state))
}

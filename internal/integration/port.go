package integration

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The range below Linux's ephemeral ports: there no outgoing connection can
// take a port between our looking and the server's listening.
const firstPort, lastPort = 20000, 32000

// FreePort is a loopback TCP port that nobody listens on. It stays free only as
// long as nobody else asks for it.
func FreePort() (int, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("integration: %w", err)
		}
		return port, nil
	}
	return 0, errors.New("integration: no free port found")
}

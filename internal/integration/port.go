package integration

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
)

// The range below Linux's ephemeral ports: there no outgoing connection can
// take a port between our looking and the server's listening, or while a server
// that will come back is away.
const firstPort, lastPort = 20000, 32000

// given are the ports that this process has given away, for as long as it lives.
var given struct {
	sync.Mutex
	ports map[int]net.PacketConn // what marks each for other processes; nil where nothing can
}

// FreePort is a loopback TCP port that nobody listens on, and that FreePort gives
// to nobody else until this process ends: neither here nor, on systems that have
// the whole of 127.0.0.0/8 on loopback, in another process.
func FreePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, is := given.ports[port]; is {
			continue
		}
		// Nothing that tests start listens there.
		mark, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.2:%d", port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			if mark != nil {
				_ = mark.Close()
			}
			continue
		}
		if given.ports == nil {
			given.ports = map[int]net.PacketConn{}
		}
		given.ports[port] = mark
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("integration: %w", err)
		}
		return port, nil
	}
	return 0, errors.New("integration: no free port found")
}

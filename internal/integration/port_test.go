package integration

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPortsAreGivenOnce: a server that is not yet there has its port to itself.
func TestPortsAreGivenOnce(t *testing.T) {
	const many = 200 // drawn at random, some come twice
	seen := map[int]bool{}
	for range many {
		port, err := FreePort()
		require.NoError(t, err)
		require.False(t, seen[port], port)
		seen[port] = true
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(t, err, "it is free")
		require.NoError(t, l.Close())
		_, err = net.ListenPacket("udp", fmt.Sprintf("127.0.0.2:%d", port))
		require.Error(t, err, "another process sees that it is given")
	}
}

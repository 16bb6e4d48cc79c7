package gateway

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func strangerFrom(addr string) *stream {
	return &stream{client: netip.AddrPortFrom(netip.MustParseAddr(addr), 0)}
}

// TestACrowdFillsItsOwnPlace however it spreads over its network.
func TestACrowdFillsItsOwnPlace(t *testing.T) {
	l := newLobby(400)
	require.Equal(t, 100, l.room)
	var crowd []*stream
	for i := range 100 {
		s := strangerFrom(fmt.Sprintf("2001:db8:1:%x::1", i))
		out, ok := l.enter(s)
		require.True(t, ok)
		require.Nil(t, out)
		crowd = append(crowd, s)
	}
	_, ok := l.enter(strangerFrom("2001:db8:1:ffff::1"))
	require.False(t, ok, "one more of them")

	for i, addr := range []string{"203.0.113.9", "2001:db8:2::1", "198.51.100.7"} {
		out, ok := l.enter(strangerFrom(addr))
		require.True(t, ok, addr)
		require.Same(t, crowd[i], out, "the oldest goes")
		require.Equal(t, l.room, l.size)
	}
	out, ok := l.enter(strangerFrom("203.0.113.200"))
	require.True(t, ok, "its network has less than its share")
	require.Same(t, crowd[3], out)
}

// TestManyNetworksHaveOnePlaceEach where no crowd stands out.
func TestManyNetworksHaveOnePlaceEach(t *testing.T) {
	l := newLobby(1)
	require.Equal(t, 1, l.room)
	l = newLobby(80)
	require.Equal(t, smallestLobby, l.room)
	for i := range l.room {
		_, ok := l.enter(strangerFrom(fmt.Sprintf("192.0.%d.1", i)))
		require.True(t, ok)
	}
	_, ok := l.enter(strangerFrom("192.0.0.2"))
	require.False(t, ok)
	out, ok := l.enter(strangerFrom("203.0.113.9"))
	require.False(t, ok)
	require.Nil(t, out)
}

// TestTheLobbyIsForStrangers: who logs in makes room, who fails to is back, and
// nobody is counted twice or stays after the end.
func TestTheLobbyIsForStrangers(t *testing.T) {
	r := newRegistry(Limits{}.complete())
	s := strangerFrom("192.0.2.1")
	_, err := r.admit(s)
	require.NoError(t, err)
	size := func() int { return r.strangers.size }
	require.Equal(t, 1, size())
	require.True(t, r.bind(s, binding{account: "alice@social.example", credential: "1"}))
	require.Zero(t, size())
	r.release(s)
	r.release(s)
	require.Equal(t, 1, size())
	r.remove(s)
	require.Zero(t, size())
	r.release(s)
	require.Zero(t, size())
	require.Empty(t, r.strangers.byNetwork)
}

package gateway_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
)

// TestACrowdOfStrangersKeepsNobodyOut: they fill what streams without a login may
// fill, from as many addresses of their network as they like, and somebody else
// comes in and logs in all the same.
func TestACrowdOfStrangersKeepsNobodyOut(t *testing.T) {
	s := newStack(t, stackConfig{change: func(c *gateway.Config) {
		c.Limits.Streams, c.Limits.PerAddress, c.Limits.AuthTime, c.Limits.Handshakes = 300, 5, time.Hour, -1
		c.TrustedProxies = loopback
	}})
	var crowd []*peer
	for i := range 300 / 4 {
		crowd = append(crowd, s.connectFrom(fmt.Sprintf("2001:db8:1:%x::1", i/5)))
	}
	more := func() int {
		return s.status(func(h http.Header) { h.Set("X-Forwarded-For", "2001:db8:1:ffff::1") })
	}
	require.Equal(t, http.StatusServiceUnavailable, more())
	require.EqualValues(t, 1, s.value("trunkline_gateway_refused_total", "crowded"))

	p := s.connectFrom("203.0.113.9")
	p.login("alice", s.password("alice"))
	p.bind()
	condition, code := crowd[0].ended()
	require.Equal(t, "resource-constraint", condition)
	require.Equal(t, websocket.StatusTryAgainLater, code)
	for range 2 { // one takes the place of who logged in, two are too many for the network's share
		s.connectFrom("203.0.113.10")
	}
	require.Equal(t, http.StatusServiceUnavailable, more(), "the crowd has what it may have")
}

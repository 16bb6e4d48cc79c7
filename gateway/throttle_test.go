package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// TestLoginsUnderWayAreNoRefusals: who waits too long for their own logins, which
// the server has not answered, is not logged as refused by it.
func TestLoginsUnderWayAreNoRefusals(t *testing.T) {
	s, r := recordedWith(t, answers[:1], func(c *gateway.Config) {
		c.Limits.Patience = 100 * time.Millisecond
		c.Limits.AuthTime = time.Hour
	})
	for range 3 {
		p := s.connect("")
		p.open()
		p.say(auth("", "alice", s.password("alice")))
	}
	require.Eventually(t, func() bool { return strings.Count(r.seen(), "</auth>") == 3 }, waitLimit, time.Millisecond)
	p := s.connect("")
	p.open()
	p.say(auth("", "alice", s.password("alice")))
	refusal := p.expect("a refusal", func(e *framing.Element) bool { return e.Is(nsSASL, "failure") })
	require.Equal(t, "temporary-auth-failure", refusal.First().Name.Local)
	require.NotContains(t, s.logs.String(), "again and again")
}

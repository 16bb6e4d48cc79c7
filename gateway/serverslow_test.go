package gateway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
)

// TestAServerThatDoesNotAnswerIsNotOneThatHides: a bind and a resumption wait for
// the server for everybody; only what comes after a bind is about hiding.
func TestAServerThatDoesNotAnswerIsNotOneThatHides(t *testing.T) {
	const bind = "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
	enables := append(slices.Clone(answers), turn{"<enable", "<enabled xmlns='" + nsSM + "' id='kept' resume='true'/>"})
	for name, c := range map[string]struct {
		script            []turn
		shown             bool
		start             func(s *stack) *peer // up to what the server does not answer
		condition, reason string
	}{
		"a bind": {answers[:3], true, func(s *stack) *peer {
			p := s.connect("")
			p.login("alice", s.password("alice"))
			p.say(bind)
			return p
		}, "remote-connection-failed", "server_slow"},
		"the list": {answers, false, func(s *stack) *peer {
			p := s.connect("")
			p.login("alice", s.password("alice"))
			p.say(bind)
			return p
		}, "internal-server-error", "hiding_failed"},
		"a resumption": {enables, true, func(s *stack) *peer {
			old := s.online("alice", "")
			previd := old.enable()
			old.cut()
			s.awaitStreams(0)
			p := s.connect("")
			p.login("alice", s.password("alice"))
			p.say("<resume xmlns='" + nsSM + "' previd='" + previd + "' h='0'/>")
			return p
		}, "remote-connection-failed", "server_slow"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := recordedWith(t, c.script, func(c *gateway.Config) { c.Limits.Stall = 3 * time.Second })
			s.consent("alice", c.shown, c.shown, c.shown)
			condition, _ := c.start(s).ended()
			require.Equal(t, c.condition, condition)
			s.awaitStreams(0)
			require.EqualValues(t, 1, s.value("trunkline_gateway_streams_ended_total", c.reason))
		})
	}
}

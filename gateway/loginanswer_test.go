package gateway_test

import (
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const (
	saysSuccess = "<success xmlns='" + nsSASL + "'/>"
	saysFailure = "<failure xmlns='" + nsSASL + "'><not-authorized/></failure>"
)

// TestAServerThatSpeaksOutOfTurn: an answer to a login that nobody asked for ends
// the stream as other nonsense of a server does, and changes nothing.
func TestAServerThatSpeaksOutOfTurn(t *testing.T) {
	greets, opens := answers[0], answers[2]
	for name, c := range map[string]struct {
		script []turn
		asks   bool // a login is sent
		again  bool // and the stream is opened again
	}{
		"success before a login":    {[]turn{{greets.seen, greets.say + saysSuccess}}, false, false},
		"failure before a login":    {[]turn{{greets.seen, greets.say + saysFailure}}, false, false},
		"success twice":             {[]turn{greets, {"</auth>", saysSuccess + saysSuccess}}, true, false},
		"success, then failure":     {[]turn{greets, {"</auth>", saysSuccess + saysFailure}}, true, false},
		"failure, then success":     {[]turn{greets, {"</auth>", saysFailure + saysSuccess}}, true, false},
		"success on the new stream": {[]turn{greets, answers[1], {opens.seen, opens.say + saysSuccess}}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := recordedWith(t, c.script, nil)
			p := s.connect("")
			p.say(openTag)
			if c.asks {
				p.expect("features", func(e *framing.Element) bool { return e.Is(framing.NSStream, "features") })
				p.say(auth("", "alice", s.password("alice")))
			}
			if c.again {
				p.expect("success", func(e *framing.Element) bool { return e.Is(nsSASL, "success") })
				p.say(openTag)
			}
			condition, code := p.ended()
			require.Equal(t, "internal-server-error", condition)
			require.Equal(t, websocket.StatusInternalError, code)
			s.awaitStreams(0)
			require.Zero(t, s.value("trunkline_gateway_panics_total"))
			require.EqualValues(t, 1, s.value("trunkline_gateway_streams_ended_total", "server_garbage"))
		})
	}
}

// TestWhoLeavesBeforeTheAnswerIsCountedAsWell: a browser that goes away as soon as
// its login is with the server cannot have it refused unseen.
func TestWhoLeavesBeforeTheAnswerIsCountedAsWell(t *testing.T) {
	s, r := recordedWith(t, []turn{answers[0], {"</auth></stream:stream>", saysFailure + "</stream:stream>"}}, func(c *gateway.Config) {
		c.Limits.Goodbye = waitLimit // the server answers when it has heard of the end
	})
	p := s.connect("")
	p.open()
	p.say(auth("", "alice", s.password("alice")))
	r.await(t, "</auth>")
	p.cut()
	s.awaitStreams(0)
	require.EqualValues(t, 1, s.value("trunkline_gateway_logins_total", "server-not-authorized"))
}

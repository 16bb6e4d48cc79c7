package gateway_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlainIsOfferedByItsName: a server offers PLAIN if there is a mechanism of
// SASL that is called so, and not by the word somewhere near.
func TestPlainIsOfferedByItsName(t *testing.T) {
	greets := answers[0]
	greets.say = strings.Replace(greets.say, "<mechanism>PLAIN</mechanism>",
		"<mechanism>SCRAM-SHA-1</mechanism><hint xmlns='urn:example:hint'>PLAIN</hint>", 1)
	s, _ := recordedWith(t, []turn{greets}, nil)
	p := s.connect("")
	p.say(openTag)
	condition, _ := p.ended()
	require.Equal(t, "remote-connection-failed", condition)
	s.awaitStreams(0)
	require.EqualValues(t, 1, s.value("trunkline_gateway_streams_ended_total", "server_no_plain"))
}

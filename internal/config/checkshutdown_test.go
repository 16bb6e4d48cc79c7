package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSeeOtherURL: RFC 7395 section 3.6.1 sends nobody to where it is less safe.
func TestSeeOtherURL(t *testing.T) {
	for other, wrong := range map[string]string{
		"wss://chat2.example.org/xmpp-websocket": "",
		"ws://chat2.example.org/xmpp-websocket":  "is less safe than server.public_url",
		"https://chat2.example.org/":             "is not the address of a WebSocket",
		"chat2.example.org":                      "is not the address of a WebSocket",
		"wss://":                                 "is not the address of a WebSocket",
	} {
		_, err := parse(t, with("server", "see_other_url = \""+other+"\""))
		if wrong == "" {
			require.NoError(t, err)
			continue
		}
		var ms Mistakes
		require.ErrorAs(t, err, &ms, other)
		assert.Equal(t, []string{"server.see_other_url"}, ms.Keys(), other)
		assert.ErrorContains(t, err, wrong)
	}
	local := strings.Replace(minimal(), "https://Chat.Example.org:443/", "http://127.0.0.1:8080", 1)
	_, err := parse(t, strings.Replace(local, "[server]\n", "[server]\nsee_other_url = \"ws://127.0.0.1:8090/xmpp-websocket\"\n", 1))
	require.NoError(t, err)
}

func TestDrainTime(t *testing.T) {
	for _, bad := range []string{"0s", "900ms", "11m"} {
		_, err := parse(t, with("server", "drain_time = \""+bad+"\""))
		require.ErrorContains(t, err, "choose between 1s and 10m0s", bad)
	}
}

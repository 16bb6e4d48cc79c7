package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOriginsAreThoseOfBrowsers: however the pages are written down, it is the
// Origin header that they are compared with; and what was given stays as it is.
func TestOriginsAreThoseOfBrowsers(t *testing.T) {
	given := []string{"https://Chat.Example.org/", "https://chat.example.net:443", "http://[::1]:80", "https://bücher.example:8443"}
	before := append([]string(nil), given...)
	g, err := New(Config{Domain: "social.example", Origins: given, Credentials: nobody{}, Consents: nobody{}})
	require.NoError(t, err)
	require.Equal(t, before, given)
	for _, origin := range []string{
		"https://chat.example.org", "https://chat.example.net", "http://[::1]", "https://xn--bcher-kva.example:8443",
	} {
		require.True(t, g.originAllowed([]string{origin}), origin)
	}
	require.False(t, g.originAllowed([]string{"https://chat.example.org:8443"}))
}

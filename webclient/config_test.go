package webclient

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOriginsAreSpeltAsBrowsersDo: the Origin of a request is compared with them.
func TestOriginsAreSpeltAsBrowsersDo(t *testing.T) {
	for raw, want := range map[string]string{
		"https://Chat.Example:443/": "https://chat.example", "https://bücher.example": "https://xn--bcher-kva.example",
		"https://chat.example:8443": "https://chat.example:8443",
	} {
		u, err := parseOrigin(raw)
		require.NoError(t, err)
		require.Equal(t, want, u.String())
	}
	_, err := parseOrigin("https://chat.example:x/")
	require.Error(t, err)
}

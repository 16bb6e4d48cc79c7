package origin

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	for address, want := range map[string]string{
		"https://chat.example.org":        "https://chat.example.org",
		"https://Chat.Example.ORG/a?b#c":  "https://chat.example.org",
		"HTTPS://chat.example.org:443/":   "https://chat.example.org",
		"http://localhost:80":             "http://localhost",
		"http://localhost:0443":           "http://localhost:443",
		"https://chat.example.org:8443":   "https://chat.example.org:8443",
		"https://bücher.example":          "https://xn--bcher-kva.example",
		"http://127.0.0.1:8080":           "http://127.0.0.1:8080",
		"http://[0:0:0:0:0:0:0:1]:7777":   "http://[::1]:7777",
		"https://[2001:DB8::1]:443":       "https://[2001:db8::1]",
		"wss://chat.example.org":          "",
		"https://":                        "",
		"https://chat.example.org:0":      "",
		"https://chat.example.org:":       "",
		"https://chat.example.org:100000": "",
		"https://chat_.exa mple.org":      "",
		"https://[fe80::1%25eth0]":        "",
		"chat.example.org":                "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			require.Empty(t, want, address)
			continue
		}
		got, err := Of(u)
		require.Equal(t, want, got, address)
		require.Equal(t, want == "", err != nil, "%s: %v", address, err)
		if err != nil {
			require.ErrorContains(t, err, "origin: ")
		}
	}
}

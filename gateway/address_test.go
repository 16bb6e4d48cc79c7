package gateway

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ name, remote, forwarded, want string }{
		{"nobody in between", "203.0.113.5:1", "198.51.100.1", "203.0.113.5"},
		{"a trusted proxy", "127.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"two trusted proxies", "127.0.0.1:1", "198.51.100.1, 10.1.2.3", "198.51.100.1"},
		{"what the client wrote itself", "127.0.0.1:1", "192.0.2.9, 198.51.100.1", "198.51.100.1"},
		{"a proxy that wrote nothing", "127.0.0.1:1", "", "127.0.0.1"},
		{"garbage beyond a proxy", "127.0.0.1:1", "evil, 10.1.2.3", "10.1.2.3"},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:1", "::ffff:198.51.100.1", "198.51.100.1"},
		{"a Unix socket", "@", "198.51.100.1", "198.51.100.1"},
		{"a zone", "127.0.0.1:1", "fe80::1%eth0", "fe80::1"},
		{"a zone of the peer", "[fe80::1%eth0]:1", "", "fe80::1"},
		{"a port", "127.0.0.1:1", "198.51.100.1:4711", "198.51.100.1"},
		{"IPv6 and a port", "127.0.0.1:1", "[2001:db8::1]:4711", "2001:db8::1"},
		{"IPv6 in brackets", "127.0.0.1:1", "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 between proxies", "127.0.0.1:1", "2001:db8::1, 10.9.9.9", "2001:db8::1"},
		{"a trusted proxy, as the client says", "127.0.0.1:1", "198.51.100.1, 10.1.2.3, 192.0.2.9", "192.0.2.9"},
		{"only proxies", "127.0.0.1:1", "10.0.0.1, 10.0.0.2", "10.0.0.1"},
		{"many hops", "127.0.0.1:1", strings.Repeat("192.0.2.9, ", 3000) + "198.51.100.1", "198.51.100.1"},
		{"many proxies", "127.0.0.1:1", "198.51.100.1" + strings.Repeat(", 10.0.0.1", 3000), "198.51.100.1"},
		{"an empty entry", "127.0.0.1:1", "198.51.100.1,", "127.0.0.1"},
		{"unknown", "127.0.0.1:1", "198.51.100.1, unknown", "127.0.0.1"},
		{"a name", "127.0.0.1:1", "localhost", "127.0.0.1"},
		{"octal and other ways to write an address", "127.0.0.1:1", "0306.51.100.1", "127.0.0.1"},
		{"a Unix socket and a proxy before it", "@", "198.51.100.1, 10.1.2.3", "198.51.100.1"},
		{"a Unix socket and what the client wrote", "", "192.0.2.9, 198.51.100.1", "198.51.100.1"},
		{"a Unix socket and nothing", "@", "", "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": {c.forwarded}}}
		require.Equal(t, c.want, ClientAddress(r, trusted).String(), c.name)
	}
}

// The header may be there several times; the last one is the nearest proxy's.
// Others that name an address are nobody's word.
func TestClientAddressFromSeveralHeaders(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	r := &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{
		"X-Forwarded-For": {"192.0.2.9", "192.0.2.8, 198.51.100.1", "10.0.0.1"},
		"Forwarded":       {"for=192.0.2.7"}, "X-Real-Ip": {"192.0.2.6"}, "True-Client-Ip": {"192.0.2.5"}, "X-Client-Ip": {"192.0.2.4"},
	}}
	require.Equal(t, "198.51.100.1", ClientAddress(r, trusted).String())
	r.Header.Del("X-Forwarded-For")
	require.Equal(t, "127.0.0.1", ClientAddress(r, trusted).String())
}

func TestLimitKey(t *testing.T) {
	require.Equal(t, "198.51.100.1", limitKey(netip.MustParseAddr("198.51.100.1")))
	require.Equal(t, limitKey(netip.MustParseAddr("2001:db8::1")), limitKey(netip.MustParseAddr("2001:db8::2:3")))
	require.NotEqual(t, limitKey(netip.MustParseAddr("2001:db8::1")), limitKey(netip.MustParseAddr("2001:db8:0:1::1")))
}

// FuzzForwarded holds that a client cannot choose an address that a trusted
// proxy did not write.
func FuzzForwarded(f *testing.F) {
	f.Add("198.51.100.1")
	f.Add("a, b,,10.0.0.1")
	f.Add("2001:db8::1%x")
	f.Add("127.0.0.1, 127.0.0.1:1, [127.0.0.1]")
	f.Fuzz(func(t *testing.T, written string) {
		if strings.ContainsAny(written, "\r\n") {
			return
		}
		r := &http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{"X-Forwarded-For": {written + ", 198.51.100.7"}}}
		trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		require.Equal(t, "198.51.100.7", ClientAddress(r, trusted).String())
		r.RemoteAddr = "203.0.113.5:1"
		require.Equal(t, "203.0.113.5", ClientAddress(r, trusted).String())
	})
}

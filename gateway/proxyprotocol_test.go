package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// readProxyHeader is a receiver, written from section 2.2 of the PROXY
// protocol's specification: it reads the header and nothing behind it. local is
// true for a sender that speaks for itself.
func readProxyHeader(r io.Reader) (from, to netip.AddrPort, local bool, err error) {
	var head [16]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return from, to, false, err
	}
	if string(head[:12]) != "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A" {
		return from, to, false, errors.New("no signature")
	}
	rest := make([]byte, binary.BigEndian.Uint16(head[14:]))
	if _, err = io.ReadFull(r, rest); err != nil {
		return from, to, false, err
	}
	if head[12]>>4 != 2 {
		return from, to, false, errors.New("not version 2")
	}
	switch head[12] & 0xf {
	case 0: // LOCAL: "the receiver must accept this connection as valid and must use the real connection endpoints"
		return from, to, true, nil
	case 1:
	default:
		return from, to, false, errors.New("unknown command")
	}
	size := map[byte]int{0x11: 4, 0x21: 16}[head[13]]
	if size == 0 || len(rest) < 2*size+4 {
		return from, to, false, errors.New("no TCP addresses")
	}
	source, _ := netip.AddrFromSlice(rest[:size])
	destination, _ := netip.AddrFromSlice(rest[size : 2*size])
	ports := rest[2*size:]
	return netip.AddrPortFrom(source, binary.BigEndian.Uint16(ports)),
		netip.AddrPortFrom(destination, binary.BigEndian.Uint16(ports[2:])), false, nil
}

func TestProxyHeaderByteByByte(t *testing.T) {
	const signature = "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"
	v4, v6 := netip.MustParseAddrPort("203.0.113.7:4711"), netip.MustParseAddrPort("[2001:db8::7]:4711")
	server4, server6 := netip.MustParseAddrPort("192.0.2.1:5222"), netip.MustParseAddrPort("[2001:db8::1]:5222")
	for name, c := range map[string]struct {
		from, to netip.AddrPort
		want     string
	}{
		"IPv4":                     {v4, server4, "\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x01\x12\x67\x14\x66"},
		"IPv4 as IPv6 spells it":   {netip.MustParseAddrPort("[::ffff:203.0.113.7]:4711"), server4, "\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x01\x12\x67\x14\x66"},
		"IPv6":                     {v6, server6, "\x21\x21\x00\x24\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x12\x67\x14\x66"},
		"IPv6 to an IPv4 server":   {v6, server4, "\x21\x21\x00\x24\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\x12\x67\x14\x66"},
		"IPv4 to an IPv6 server":   {v4, server6, "\x21\x11\x00\x0c\xcb\x00\x71\x07\x00\x00\x00\x00\x12\x67\x14\x66"},
		"the gateway itself":       {netip.AddrPort{}, server4, "\x20\x00\x00\x00"},
		"a port that is not known": {netip.AddrPortFrom(v4.Addr(), 0), server4, "\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x01\x00\x00\x14\x66"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []byte(signature+c.want), appendProxyHeader(nil, c.from, c.to))
		})
	}
}

// FuzzProxyHeader: whoever reads a header as the specification says reads the
// client that was written, and what follows it.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte{203, 0, 113, 7}, uint16(1), []byte{192, 0, 2, 1}, uint16(5222))
	f.Add(netip.MustParseAddr("2001:db8::7").AsSlice(), uint16(1), []byte{127, 0, 0, 1}, uint16(5222))
	f.Add(netip.MustParseAddr("::ffff:203.0.113.7").AsSlice(), uint16(0), netip.IPv6Loopback().AsSlice(), uint16(0))
	f.Add([]byte{}, uint16(0), []byte{1}, uint16(5222))
	f.Fuzz(func(t *testing.T, from []byte, fromPort uint16, to []byte, toPort uint16) {
		client, known := netip.AddrFromSlice(from)
		server, _ := netip.AddrFromSlice(to)
		header := appendProxyHeader(nil, netip.AddrPortFrom(client, fromPort), netip.AddrPortFrom(server, toPort))
		r := strings.NewReader(string(header) + "<stream>")
		source, destination, local, err := readProxyHeader(r)
		require.NoError(t, err)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "<stream>", string(rest))
		require.Equal(t, known, !local)
		if known {
			require.Equal(t, netip.AddrPortFrom(client.Unmap(), fromPort), source)
			require.Equal(t, toPort, destination.Port())
			require.Equal(t, source.Addr().Is4(), destination.Addr().Is4(), "one family")
		}
	})
}

func TestClientEndpointHasAPortOnlyIfItIsTheClients(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, c := range map[string]struct{ remote, forwarded, want string }{
		"a browser that comes itself": {"198.51.100.9:4711", "", "198.51.100.9:4711"},
		"one behind a proxy":          {"127.0.0.1:4711", "198.51.100.9", "198.51.100.9:0"},
		"one that lies":               {"198.51.100.9:4711", "203.0.113.1", "198.51.100.9:4711"},
		"IPv6":                        {"[2001:db8::9]:4711", "", "[2001:db8::9]:4711"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.remote
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			require.Equal(t, c.want, clientEndpoint(r, trusted).String())
		})
	}
	unix := httptest.NewRequest("GET", "/", nil)
	unix.RemoteAddr = "@"
	require.False(t, clientEndpoint(unix, trusted).Addr().IsValid(), "nobody is known, so the gateway speaks for itself")
}

// TestProsodyBehindAReaderOfHeaders: Debian has no mod_net_proxy, so that the
// header is read by a receiver written from the specification, and what follows
// it by Prosody.
func TestProsodyBehindAReaderOfHeaders(t *testing.T) {
	p := integration.StartProsody(t, integration.ProsodyConfig{Domain: "social.example", Users: map[string]string{"alice": "secret"}})
	type header struct {
		from  netip.AddrPort
		local bool
		err   error
	}
	seen := make(chan header, 1)
	address := serveOne(t, func(near net.Conn) {
		from, _, local, err := readProxyHeader(near)
		seen <- header{from, local, err}
		far, err := net.Dial("tcp", p.Addr())
		if err != nil {
			return
		}
		defer far.Close()
		done := make(chan struct{})
		go func() { defer close(done); _, _ = io.Copy(near, far); _ = near.Close() }()
		_, _ = io.Copy(far, near)
		_ = far.Close()
		<-done
	})
	u := newTestGateway(t, Upstream{Address: address, TLS: TLSPlain, ProxyProtocol: true}).upstream
	require.NoError(t, u.probe(t.Context()), "Prosody greets, and takes passwords")
	own := <-seen
	require.NoError(t, own.err)
	require.Equal(t, "127.0.0.1", own.from.Addr().String(), "the gateway itself")
	require.False(t, own.local, "not every server knows that word")

	client := netip.MustParseAddrPort("203.0.113.7:4711")
	conn, err := u.connect(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, u.look(t.Context(), conn))
	require.NoError(t, conn.Close())
	require.Equal(t, header{from: client}, <-seen)
}

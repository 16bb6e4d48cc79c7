package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers SRV questions from a table of ports on localhost, and
// nothing else, for as long as the test runs.
func nameServer(t *testing.T, ports map[string]uint16) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			answer(&m, ports)
			if b, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(b, from)
			}
		}
	})
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = old; _ = conn.Close(); wg.Wait() })
}

func answer(m *dnsmessage.Message, ports map[string]uint16) {
	q := m.Questions[0]
	m.Response, m.RCode, m.Additionals = true, dnsmessage.RCodeNameError, nil
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
	port, ok := ports[q.Name.String()]
	switch {
	case q.Type == dnsmessage.TypeSRV && ok:
		m.RCode = dnsmessage.RCodeSuccess
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.SRVResource{
			Port: port, Target: dnsmessage.MustNewName("xmpp.hosting.example."),
		}}}
	case q.Name.String() == "xmpp.hosting.example.":
		m.RCode = dnsmessage.RCodeSuccess
		if q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
		}
	}
}

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	return uint16(n)
}

// TestServiceRecords finds the server elsewhere, and still wants the domain's
// own certificate.
func TestServiceRecords(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	hosting, hostingPool := certificate(t, "xmpp.hosting.example")
	direct := func(cert tls.Certificate) string {
		return serveOne(t, func(conn net.Conn) {
			secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
			if secure.Handshake() == nil {
				_, _ = secure.Write([]byte("safe"))
			}
		})
	}
	const directName, startName = "_xmpps-client._tcp.social.example.", "_xmpp-client._tcp.social.example."

	t.Run("direct TLS", func(t *testing.T) {
		nameServer(t, map[string]uint16{directName: portOf(t, direct(cert))})
		conn, err := newTestGateway(t, Upstream{RootCAs: pool}).upstream.connect(t.Context(), netip.AddrPort{})
		require.NoError(t, err)
		readSafe(t, conn)
	})
	t.Run("STARTTLS", func(t *testing.T) {
		nameServer(t, map[string]uint16{startName: portOf(t, startTLSServer(t, offer, proceed, cert))})
		conn, err := newTestGateway(t, Upstream{TLS: TLSStart, RootCAs: pool}).upstream.connect(t.Context(), netip.AddrPort{})
		require.NoError(t, err)
		readSafe(t, conn)
	})
	t.Run("the host's certificate", func(t *testing.T) {
		nameServer(t, map[string]uint16{directName: portOf(t, direct(hosting))})
		_, err := newTestGateway(t, Upstream{RootCAs: hostingPool}).upstream.connect(t.Context(), netip.AddrPort{})
		require.Error(t, err)
	})
	t.Run("no STARTTLS where the record leads", func(t *testing.T) {
		nameServer(t, map[string]uint16{startName: portOf(t, startTLSServer(t, "", "", cert))})
		_, err := newTestGateway(t, Upstream{TLS: TLSStart, RootCAs: pool}).upstream.connect(t.Context(), netip.AddrPort{})
		require.ErrorContains(t, err, "does not offer")
	})
}

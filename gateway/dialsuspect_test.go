package gateway

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const takesPasswords = "<stream:features><mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"

// greets is a server that lets people log in, for as long as they stay.
func greets(conn net.Conn) {
	_, _ = io.WriteString(conn, greeting+takesPasswords)
	_, _ = io.Copy(io.Discard, conn)
}

// TestOneClosedConnectionIsNoFaultOfTheServer: what a server does with one
// connection is told to its browser; /readyz says it only if the server greets
// nobody.
func TestOneClosedConnectionIsNoFaultOfTheServer(t *testing.T) {
	for name, refuses := range map[string]func(net.Conn){
		"without a word":       func(net.Conn) {},
		"in the middle of one": func(conn net.Conn) { _, _ = io.WriteString(conn, greeting[:40]) },
	} {
		t.Run(name, func(t *testing.T) {
			var seen, refused atomic.Int32
			refused.Store(1)
			address := serveOne(t, func(conn net.Conn) {
				if seen.Add(1) <= refused.Load() {
					refuses(conn)
				} else {
					greets(conn)
				}
			})
			g := newTestGateway(t, Upstream{Address: address, TLS: TLSPlain})
			condition, code := told(t, g)
			require.Equal(t, "remote-connection-failed", condition)
			require.Equal(t, websocket.StatusBadGateway, code)
			require.EqualValues(t, 2, seen.Load(), "the server was asked whether it meant everybody")
			require.Nil(t, g.upstream.health.fault())

			refused.Store(1000)
			condition, _ = told(t, g)
			require.Equal(t, "remote-connection-failed", condition)
			problem, _ := g.Reachable()
			require.Contains(t, problem, "answer, "+address)
			refused.Store(0)
			require.NoError(t, g.upstream.askOnce(t.Context()))
			require.Nil(t, g.upstream.health.fault())
			require.NoError(t, g.Shutdown(t.Context()))
		})
	}
}

// TestABanOfOneAddressIsNoFaultOfTheServer is a server that is told the browsers'
// addresses and refuses one of them, on the way to TLS.
func TestABanOfOneAddressIsNoFaultOfTheServer(t *testing.T) {
	banned, other := netip.MustParseAddrPort("203.0.113.9:4711"), netip.MustParseAddrPort("203.0.113.7:4711")
	cert, pool := certificate(t, "social.example")
	secure := func(conn net.Conn) {
		far := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		if far.HandshakeContext(t.Context()) == nil {
			greets(far)
		}
	}
	upTo := func(conn net.Conn, what string) bool { return readUpTo(conn, what) == nil }
	for name, c := range map[string]struct {
		tls            string
		refuses, takes func(net.Conn)
	}{
		"direct TLS": {TLSDirect, func(net.Conn) {}, secure},
		"STARTTLS, by a stream error": {TLSStart, func(conn net.Conn) {
			if upTo(conn, "version='1.0'") {
				_, _ = io.WriteString(conn, greeting+"<stream:error><policy-violation xmlns='"+framing.NSStreams+"'/></stream:error></stream:stream>")
				_, _ = io.Copy(io.Discard, conn)
			}
		}, func(conn net.Conn) {
			_, _ = io.WriteString(conn, greeting+"<stream:features>"+offer+"</stream:features>")
			if upTo(conn, offer) {
				_, _ = io.WriteString(conn, proceed)
				secure(conn)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			all := atomic.Bool{}
			address := serveOne(t, func(conn net.Conn) {
				if from, _, _, err := readProxyHeader(conn); err != nil || from == banned || all.Load() {
					c.refuses(conn)
				} else {
					c.takes(conn)
				}
			})
			u := newTestGateway(t, Upstream{Address: address, TLS: c.tls, RootCAs: pool, ProxyProtocol: true}).upstream
			for range 2 {
				_, err := u.connect(t.Context(), banned)
				require.ErrorAs(t, err, new(*fault))
				require.Nil(t, u.health.fault(), "the others are greeted")
			}
			conn, err := u.connect(t.Context(), other)
			require.NoError(t, err)
			require.NoError(t, conn.Close())

			all.Store(true)
			_, err = u.connect(t.Context(), banned)
			require.ErrorAs(t, err, new(*fault))
			require.NotNil(t, u.health.fault(), "now it means everybody")
		})
	}
}

// readUpTo reads until what has come.
func readUpTo(conn net.Conn, what string) error {
	for at := 0; at < len(what); {
		b := make([]byte, 1)
		if _, err := io.ReadFull(conn, b); err != nil {
			return err
		}
		switch b[0] {
		case what[at]:
			at++
		case what[0]:
			at = 1
		default:
			at = 0
		}
	}
	return nil
}

package gateway

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// nobody is enough of the rest of a configuration.
type nobody struct{}

func (nobody) Lookup(context.Context, string, string) (account, session, credential string, ok bool, err error) {
	return "", "", "", false, nil
}
func (nobody) Consent(context.Context, string) (presence, typing, receipts bool, err error) {
	return false, false, false, nil
}

func newTestGateway(t *testing.T, up Upstream) *Gateway {
	t.Helper()
	g, err := New(Config{
		Domain: "social.example", Upstream: up, Credentials: nobody{}, Consents: nobody{},
		Limits: Limits{ // what has to fail in time sets its own
			Lookup: patience, Connect: patience, Secure: patience, Dial: patience, Answer: patience, AuthTime: patience,
		},
	})
	require.NoError(t, err)
	return g
}

// certificate is self-signed, for a name.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serveOne accepts connections and hands them to f until the test ends.
func serveOne(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			f(conn)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

const greeting = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + framing.NSStream +
	"' from='social.example' id='1' version='1.0'>"

// startTLSServer answers STARTTLS with what is given after <starttls/>.
func startTLSServer(t *testing.T, features, answer string, cert tls.Certificate) string {
	return serveOne(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if _, err := r.ReadString('>'); err != nil { // the declaration
			return
		}
		if _, err := r.ReadString('>'); err != nil {
			return
		}
		_, _ = conn.Write([]byte(greeting + "<stream:features>" + features + "</stream:features>"))
		if _, err := r.ReadString('>'); err != nil {
			return
		}
		_, _ = conn.Write([]byte(answer))
		secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		if secure.Handshake() == nil {
			_, _ = secure.Write([]byte("safe"))
		}
	})
}

func readSafe(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 4)
	n, err := conn.Read(b)
	require.NoError(t, err)
	require.Equal(t, "safe", string(b[:n]))
	require.IsType(t, (*tls.Conn)(nil), conn)
}

const (
	offer   = "<starttls xmlns='" + nsTLS + "'/>"
	proceed = "<proceed xmlns='" + nsTLS + "'/>"
)

func TestStartTLS(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	address := startTLSServer(t, offer, proceed, cert)
	conn, err := newTestGateway(t, Upstream{Address: address, RootCAs: pool}).upstream.connect(t.Context(), netip.AddrPort{})
	require.NoError(t, err)
	readSafe(t, conn)
}

func TestStartTLSThatIsNotSafe(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	other, otherPool := certificate(t, "other.example")
	for name, c := range map[string]struct {
		features, answer string
		cert             tls.Certificate
		pool             *x509.CertPool
		want             string
	}{
		"not offered":           {"<mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms>", "", cert, pool, "does not offer"},
		"refused":               {offer, "<failure xmlns='" + nsTLS + "'/>", cert, pool, "refused"},
		"something beforehand":  {offer, proceed + "<stream:features/>", cert, pool, "spoke before"},
		"an unknown authority":  {offer, proceed, cert, otherPool, "unknown authority"},
		"another domain's name": {offer, proceed, other, otherPool, "not social.example"},
	} {
		t.Run(name, func(t *testing.T) {
			address := startTLSServer(t, c.features, c.answer, c.cert)
			_, err := newTestGateway(t, Upstream{Address: address, RootCAs: c.pool}).upstream.connect(t.Context(), netip.AddrPort{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestDirectTLS(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	other, otherPool := certificate(t, "other.example")
	serve := func(cert tls.Certificate) string {
		return serveOne(t, func(conn net.Conn) {
			secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"xmpp-client"}})
			if secure.Handshake() == nil && secure.ConnectionState().NegotiatedProtocol == "xmpp-client" {
				_, _ = secure.Write([]byte("safe"))
			}
		})
	}
	conn, err := newTestGateway(t, Upstream{Address: serve(cert), TLS: TLSDirect, RootCAs: pool}).upstream.connect(t.Context(), netip.AddrPort{})
	require.NoError(t, err)
	readSafe(t, conn)
	_, err = newTestGateway(t, Upstream{Address: serve(other), TLS: TLSDirect, RootCAs: otherPool}).upstream.connect(t.Context(), netip.AddrPort{})
	require.ErrorContains(t, err, "not social.example")
}

func TestServerThatSaysNothingIsGivenUp(t *testing.T) {
	address := serveOne(t, func(conn net.Conn) { _, _ = bufio.NewReader(conn).ReadString('\x00') })
	g := newTestGateway(t, Upstream{Address: address})
	g.upstream.limits.Dial = 100 * time.Millisecond
	began := time.Now()
	_, err := g.upstream.connect(t.Context(), netip.AddrPort{})
	t.Log("given up after", time.Since(began))
	require.ErrorIs(t, err, errTimeout, "and not the end of a connection that the server gave up")
}

func TestConfiguration(t *testing.T) {
	good := Config{
		Domain: "Social.Example", Upstream: Upstream{Address: "127.0.0.1:5222", TLS: TLSPlain},
		Origins: []string{"https://chat.social.example/"}, Credentials: nobody{}, Consents: nobody{},
	}
	g, err := New(good)
	require.NoError(t, err)
	require.Equal(t, "social.example", g.cfg.Domain)
	require.Equal(t, []string{"https://chat.social.example"}, g.cfg.Origins)
	for want, change := range map[string]func(*Config){
		"XMPP domain":     func(c *Config) { c.Domain = "" },
		"in the clear":    func(c *Config) { c.Upstream.Address = "192.0.2.1:5222" },
		"cannot be plain": func(c *Config) { c.Upstream.Address = "" },
		"is unknown":      func(c *Config) { c.Upstream.TLS = "maybe" },
		"missing port":    func(c *Config) { c.Upstream.Address = "127.0.0.1" },
		"is not like":     func(c *Config) { c.Origins = []string{"https://a.example/path"} },
		"WebSocket URL":   func(c *Config) { c.SeeOtherURL = "https://a.example" },
		"are needed":      func(c *Config) { c.Consents = nil },
	} {
		c := good
		c.Origins = append([]string(nil), good.Origins...)
		change(&c)
		_, err := New(c)
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), "gateway: "), err)
	}
	insecure := good
	insecure.Upstream = Upstream{Address: "192.0.2.1:5222", TLS: TLSInsecurePlain}
	_, err = New(insecure)
	require.NoError(t, err, "the word is there")
}

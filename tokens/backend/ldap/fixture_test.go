package ldap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

const (
	base          = "ou=people,dc=social,dc=example"
	serviceDN     = "cn=service,dc=social,dc=example"
	serviceSecret = "the-service-accounts-own-secret"
	alice         = "uid=alice," + base
	bob           = "uid=bob," + base
)

// core knows alice and bob, each by two passwords.
type core struct {
	mu       sync.Mutex
	answer   backend.Answer // of everything, if set
	reason   string
	asked    []backend.Question
	recorded []backend.Event
}

func (c *core) Auth(_ context.Context, q backend.Question) backend.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	switch {
	case c.answer != "":
		return backend.Result{Answer: c.answer, Reason: c.reason}
	case q.Service == "xmpp" && (q.User == "alice" || q.User == "bob") && (q.Secret == q.User+"-phone" || q.Secret == q.User+"-laptop"):
		return backend.Result{Answer: backend.Yes}
	default:
		return backend.Result{Answer: backend.No}
	}
}

func (c *core) Exists(_ context.Context, q backend.Question) backend.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	switch {
	case c.answer != "":
		return c.answer
	case q.User == "alice" || q.User == "bob":
		return backend.Yes
	default:
		return backend.No
	}
}

func (c *core) Record(e backend.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorded = append(c.recorded, e)
}

// says makes the core answer everything alike.
func (c *core) says(a backend.Answer, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer, c.reason = a, reason
}

func (c *core) questions() []backend.Question {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]backend.Question(nil), c.asked...)
}

// directory is a Server with a listener for LDAP and one for LDAPS.
type directory struct {
	*Server
	core        *core
	log         *lockedBuffer
	addr, tls   string
	authority   *x509.CertPool
	authorityIn string // a file
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newServer is a Server without a listener, whose panics fail the test.
func newServer(tb testing.TB, change func(*Config)) (*Server, *core, *lockedBuffer) {
	tb.Helper()
	c, log := &core{}, &lockedBuffer{}
	cfg := Config{
		Core: c, Base: base, ServiceDN: serviceDN, ServiceSecret: []byte(serviceSecret),
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.Zero(tb, s.panics.Load(), "panics; the log:\n%s", log) })
	return s, c, log
}

// start serves on loopback until the test ends.
func start(tb testing.TB, change func(*Config)) *directory {
	tb.Helper()
	certificate, pool, file := authority(tb)
	s, core, log := newServer(tb, func(c *Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		if change != nil {
			change(c)
		}
	})
	d := &directory{Server: s, core: core, log: log, authority: pool, authorityIn: file}
	d.addr = serve(tb, s, false)
	if s.tls != nil {
		d.tls = serve(tb, s, true)
	}
	return d
}

func serve(tb testing.TB, s *Server, implicitTLS bool) (addr string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener, implicitTLS) }()
	tb.Cleanup(func() {
		cancel()
		require.NoError(tb, <-done)
	})
	return listener.Addr().String()
}

// authority makes an authority, and a certificate of it for localhost.
func authority(tb testing.TB) (tls.Certificate, *x509.CertPool, string) {
	tb.Helper()
	make := func(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		require.NoError(tb, err)
		return der
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority for tests"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: make(root, root, rootKey, rootKey)})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	host, err := os.Hostname() // what OpenLDAP makes of localhost
	require.NoError(tb, err)
	leaf := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost", host},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, key, rootKey)
	file := filepath.Join(tb.TempDir(), "ca.pem")
	require.NoError(tb, os.WriteFile(file, text, 0o600))
	pool := x509.NewCertPool()
	require.True(tb, pool.AppendCertsFromPEM(text))
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: key}, pool, file
}

// dial connects go-ldap's client.
func (d *directory) dial(tb testing.TB) *goldap.Conn {
	tb.Helper()
	c, err := goldap.DialURL("ldap://" + d.addr)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	c.SetTimeout(20 * time.Second)
	return c
}

// service is a client that is bound as the service account.
func (d *directory) service(tb testing.TB) *goldap.Conn {
	tb.Helper()
	c := d.dial(tb)
	require.NoError(tb, c.Bind(serviceDN, serviceSecret))
	return c
}

// code is the result code of an answer, 0 for success.
func code(err error) int {
	var e *goldap.Error
	switch {
	case err == nil:
		return 0
	case asError(err, &e):
		return int(e.ResultCode)
	default:
		return -1
	}
}

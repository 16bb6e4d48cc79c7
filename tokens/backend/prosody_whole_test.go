package backend_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

const exampleDomain = "example.org"

// site is a folder for a server of an admin who followed docs/prosody.md.
type site struct {
	t     *testing.T
	front *front
	roots *x509.CertPool
}

// write puts a file of the server into dir.
func (s *site) write(dir, name, text string) string {
	s.t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// adapt reads a configuration and changes nothing but ports and paths, each of
// which must be there.
func (s *site) adapt(file string, replace map[string]string) string {
	s.t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(s.t, err)
	text := string(b)
	for from, to := range replace {
		require.Contains(s.t, text, from, file)
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// paths is what differs for a server in dir.
func (s *site) paths(dir string) map[string]string {
	s.t.Helper()
	modules, err := filepath.Abs("../../contrib/prosody")
	require.NoError(s.t, err)
	return map[string]string{
		`"/run/prosody/prosody.pid"`:                 fmt.Sprintf("%q", filepath.Join(dir, "prosody.pid")),
		`"/usr/local/lib/prosody/modules"`:           fmt.Sprintf("%q", modules),
		`certificates = "certs"`:                     fmt.Sprintf("certificates = %q", filepath.Join(dir, "certs")),
		`"/var/log/prosody/prosody.log"`:             fmt.Sprintf("%q", filepath.Join(dir, "prosody.log")),
		`"/var/log/prosody/prosody.err"`:             fmt.Sprintf("%q", filepath.Join(dir, "prosody.err")),
		`"http://127.0.0.1:8081/verify"`:             fmt.Sprintf("%q", "http://"+s.front.addr+"/verify"),
		`"/etc/prosody/trunkline.secret"`:            fmt.Sprintf("%q", s.write(dir, "trunkline.secret", sharedSecret+"\n")),
		`c2s_direct_tls_ports = { 5223 }`:            "c2s_direct_tls_ports = { %TLS }",
		`Include "conf.d/*.cfg.lua"`:                 fmt.Sprintf("Include %q", filepath.Join(dir, "conf.d", "*.cfg.lua")),
		`{ levels = { "error" }; to = "syslog";  };`: ``,
	}
}

// only is the part of the paths for these keys.
func only(all map[string]string, tlsPort int, keys ...string) map[string]string {
	part := map[string]string{}
	for from, to := range all {
		for _, key := range keys {
			if strings.Contains(from, key) {
				part[from] = strings.ReplaceAll(to, "%TLS", fmt.Sprint(tlsPort))
			}
		}
	}
	return part
}

var (
	globalPaths = []string{"pid", "modules", "certificates", "prosody.log", "prosody.err"}
	hostPaths   = []string{"verify", "secret", "5223"}
)

// The very files in contrib work, changed in nothing but paths and ports: as the
// whole configuration, and beside Debian's own as its package installs it.
func TestTheConfigurationsThatWeGive(t *testing.T) {
	for name, whole := range map[string]func(s *site, dir string, tlsPort int) string{
		"complete": func(s *site, dir string, tlsPort int) string {
			return s.adapt("../../contrib/prosody/prosody.cfg.lua", only(s.paths(dir), tlsPort, append(globalPaths, hostPaths...)...))
		},
		"beside Debian's": func(s *site, dir string, tlsPort int) string {
			s.write(dir, "conf.d/example.org.cfg.lua",
				s.adapt("../../contrib/prosody/debian.cfg.lua", only(s.paths(dir), tlsPort, hostPaths...)))
			return s.adapt("/etc/prosody/prosody.cfg.lua", only(s.paths(dir), tlsPort, append(globalPaths, "conf.d", "syslog")...))
		},
	} {
		t.Run(name, func(t *testing.T) { tryConfiguration(t, whole) })
	}
}

func tryConfiguration(t *testing.T, whole func(*site, string, int) string) {
	s := newTokens(t)
	s.front = newFrontFor(t, s.tokens, exampleDomain)
	here := &site{t: t, front: s.front}
	s.prosody = integration.StartProsody(t, integration.ProsodyConfig{
		Domain: exampleDomain,
		Whole: func(dir string, _, tlsPort int, lead string) (string, error) {
			here.certify(dir)
			return lead + whole(here, dir, tlsPort), nil
		},
	})
	connect := func(name, secret string) (*integration.Raw, string) {
		raw, err := integration.DialTLS(patience(t), s.prosody.TLSAddr(), exampleDomain, here.roots)
		require.NoError(t, err)
		t.Cleanup(func() { _ = raw.Close() })
		return raw, condition(t, raw.Login(patience(t), name, secret))
	}
	lost, kept := s.device("alice"), s.device("alice")
	ending, refused := connect("alice", lost.secret)
	require.Empty(t, refused)
	require.NoError(t, ending.Bind(patience(t), "lost"))
	staying, refused := connect("alice", kept.secret)
	require.Empty(t, refused)
	require.NoError(t, staying.Bind(patience(t), "kept"))
	_, refused = connect("alice", "nonsense")
	require.Equal(t, wrong, refused)

	// What docs/prosody.md promises of it.
	answer, err := staying.Ask(patience(t), "<iq type='get' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	require.NoError(t, err)
	require.Contains(t, answer.XML, "urn:xmpp:mam:2")
	answer, err = staying.Ask(patience(t), "<iq type='get' id='p'><query xmlns='jabber:iq:privacy'/></iq>")
	require.NoError(t, err)
	require.Equal(t, "result", answer.Attrs["type"], "hidden sessions need mod_privacy_lists")
	answer, err = staying.Ask(patience(t), "<iq type='set' id='r'><query xmlns='jabber:iq:register'>"+
		"<username>alice</username><password>mine</password></query></iq>")
	require.NoError(t, err)
	require.Equal(t, "error", answer.Attrs["type"], "nobody changes a password here")

	plain, err := integration.Dial(patience(t), s.prosody.Addr(), exampleDomain)
	require.NoError(t, err)
	defer plain.Close()
	require.NotEmpty(t, condition(t, plain.Login(patience(t), "alice", kept.secret)), "no password without TLS")

	s.revoke("alice", lost)
	_, err = ending.Await(patience(t), func(e integration.Element) bool { return e.Name.Local == "error" && e.Child == "not-authorized" })
	require.NoError(t, err)
	_, err = staying.Ask(patience(t), "<iq type='get' id='s'><ping xmlns='urn:xmpp:ping'/></iq>")
	require.NoError(t, err)
	require.Contains(t, s.prosody.Log(), "Ended 1 sessions of alice")
	for _, line := range strings.Split(s.prosody.Log(), "\n") {
		require.NotContains(t, line, "\terror\t")
	}
}

// certify gives the server a certificate where Prosody looks for one.
func (s *site) certify(dir string) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{exampleDomain, "rooms." + exampleDomain}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	require.NoError(s.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(s.t, err)
	s.roots = x509.NewCertPool()
	for _, name := range []string{exampleDomain, "rooms." + exampleDomain} {
		s.write(dir, "certs/"+name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		s.write(dir, "certs/"+name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	}
	parsed, err := x509.ParseCertificate(der)
	require.NoError(s.t, err)
	s.roots.AddCert(parsed)
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// issue makes a certificate for a name, signed by an authority of its own, and
// puts it where Prosody looks for one. It returns the authority's file.
func issue(t *testing.T, certs, name string) (authority string) {
	t.Helper()
	make := func(c, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		if signer == nil {
			signer = key
		}
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
		require.NoError(t, err)
		return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey, caText := make(ca, ca, nil)
	key, text := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name, "rooms." + name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for _, host := range []string{name, "rooms." + name} {
		require.NoError(t, os.MkdirAll(certs, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(certs, host+".crt"), text, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(certs, host+".key"),
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	}
	authority = filepath.Join(t.TempDir(), "authority.pem")
	require.NoError(t, os.WriteFile(authority, caText, 0o600))
	return authority
}

// startProgram is startServing with a process of its own, so that it reads its
// own certificate authorities.
func startProgram(t *testing.T, path string, env ...string) *running {
	t.Helper()
	binary, err := program()
	require.NoError(t, err)
	cmd := exec.Command(binary, "serve", "--config", path)
	cmd.Env = append(os.Environ(), env...)
	read, write := io.Pipe()
	cmd.Stderr = write
	r := &running{t: t, exit: make(chan int, 1), ready: make(chan struct{})}
	r.end = func() { _ = cmd.Process.Signal(syscall.SIGTERM) } // it may have ended
	require.NoError(t, cmd.Start())
	var logging sync.WaitGroup
	logging.Go(func() { r.follow(read) })
	go func() { // joined through exit
		_ = cmd.Wait() // its exit code says it
		write.Close()
		logging.Wait()
		r.exit <- cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() { r.stop() })
	select {
	case <-r.ready:
	case code := <-r.exit:
		r.exit <- code
		t.Fatalf("it ended with %d:\n%s", code, r.text())
	}
	return r
}

// pair is contrib's Prosody beside a Trunkline, both as an admin has them who
// followed docs/install.md.
type pair struct {
	t         *testing.T
	path      string // Trunkline's configuration
	authority string // who signed Prosody's certificate
	xmpp      int
	verify    string // where Prosody asks
	cfg       *config.Config
}

func newPair(t *testing.T, tls string) *pair {
	t.Helper()
	p := &pair{t: t, path: writeConfig(t, jsonLog)}
	private, err := integration.FreePort()
	require.NoError(t, err)
	p.xmpp, err = integration.FreePort()
	require.NoError(t, err)
	p.verify = fmt.Sprintf("127.0.0.1:%d", private)
	p.edit("127.0.0.1:5222", fmt.Sprintf("127.0.0.1:%d", p.xmpp))
	p.edit(`tls = "plain"`, tls)
	p.edit(`private_listen = "127.0.0.1:0"`, fmt.Sprintf("private_listen = %q", p.verify))
	p.cfg, err = config.Load(p.path, func(string) string { return "" })
	require.NoError(t, err)
	return p
}

func (p *pair) edit(from, to string) {
	p.t.Helper()
	text, err := os.ReadFile(p.path)
	require.NoError(p.t, err)
	require.Contains(p.t, string(text), from)
	require.NoError(p.t, os.WriteFile(p.path, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
}

// prosody starts contrib's configuration, changed in nothing but the domain,
// paths, ports, and what change says.
func (p *pair) prosody(change ...string) {
	p.t.Helper()
	integration.StartProsody(p.t, integration.ProsodyConfig{C2SPort: p.xmpp, Whole: func(dir string, _, tlsPort int, lead string) (string, error) {
		p.authority = issue(p.t, filepath.Join(dir, "certs"), "social.example")
		text, err := os.ReadFile("../../contrib/prosody/prosody.cfg.lua")
		require.NoError(p.t, err)
		modules, err := filepath.Abs("../../contrib/prosody")
		require.NoError(p.t, err)
		secret := filepath.Join(dir, "trunkline.secret")
		require.NoError(p.t, os.WriteFile(secret, []byte(p.cfg.Secrets.VerifySecret.Reveal()+"\n"), 0o600))
		whole := string(text)
		change = append(change, "example.org", "social.example", "/usr/local/lib/prosody/modules", modules, "/run/prosody", dir,
			"/var/log/prosody", dir, `"certs"`, fmt.Sprintf("%q", filepath.Join(dir, "certs")), "127.0.0.1:8081", p.verify,
			"/etc/prosody/trunkline.secret", secret, "{ 5223 }", fmt.Sprintf("{ %d }", tlsPort))
		for i := 0; i < len(change); i += 2 {
			require.Contains(p.t, whole, change[i])
			whole = strings.ReplaceAll(whole, change[i], change[i+1])
		}
		return lead + whole, nil
	}})
}

// password is one for alice, as the panel gets it.
func (p *pair) password() string {
	p.t.Helper()
	n, err := newNode(p.t.Context(), p.cfg, newLogger(p.cfg.Log, io.Discard))
	require.NoError(p.t, err)
	defer n.close()
	_, err = n.db.ExecContext(p.t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at)
		VALUES ('11', 'alice', 1, 1) ON CONFLICT DO NOTHING`)
	require.NoError(p.t, err)
	secret, _, err := n.tokens.IssueTemporary(p.t.Context(), "11", "s")
	require.NoError(p.t, err)
	return secret
}

// What docs/install.md recommends: STARTTLS on loopback, Prosody as contrib has
// it, a certificate for the domain from an authority that the system trusts.
func TestStartTLSToTheProsodyThatWeGive(t *testing.T) {
	p := newPair(t, "# tls as it is by default")
	p.prosody()
	r := startProgram(t, p.path, "SSL_CERT_FILE="+p.authority, "SSL_CERT_DIR=/nonexistent")
	r.dial(t).signIn("alice", p.password())
	assert.Equal(t, exitOK, r.stop())

	other := issue(t, t.TempDir(), "social.example")
	r = startProgram(t, p.path, "SSL_CERT_FILE="+other, "SSL_CERT_DIR=/nonexistent")
	b := r.dial(t)
	b.send(openFrame)
	b.closed("remote-connection-failed")
	assert.Equal(t, exitOK, r.stop())
	assert.Contains(t, r.text(), "certificate signed by unknown authority", "the log says why")
}

// What docs/prosody.md says of a Prosody that is on loopback without TLS: these
// lines, and no others.
func TestPlainToTheProsodyThatWeGive(t *testing.T) {
	docs, err := os.ReadFile("../../docs/prosody.md")
	require.NoError(t, err)
	global := "c2s_interfaces = { \"127.0.0.1\", \"::1\" }\n"
	host := "    c2s_require_encryption = false\n    allow_unencrypted_plain_auth = true\n"
	require.True(t, strings.Contains(string(docs), global) && strings.Contains(string(docs), host), "docs/prosody.md has these lines")

	p := newPair(t, `tls = "plain"`)
	p.prosody("c2s_require_encryption = true\n", "c2s_require_encryption = true\n"+global,
		"    authentication = \"trunkline\"\n", "    authentication = \"trunkline\"\n"+host)
	r := startProgram(t, p.path)
	r.dial(t).signIn("alice", p.password())

	without := newPair(t, `tls = "plain"`)
	without.prosody()
	r = startProgram(t, without.path)
	b := r.dial(t)
	b.send(openFrame)
	b.closed("remote-connection-failed")
	await(t, func() bool { return strings.Contains(r.text(), "PLAIN") })
}

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens"
)

// member puts alice and a device password of hers beside a running node.
func member(t *testing.T, path string) (other *node, device tokens.Device, password string) {
	t.Helper()
	cfg, err := config.Load(path, nil)
	require.NoError(t, err)
	other, err = newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	t.Cleanup(other.close)
	now := time.Now().UnixMilli()
	_, err = other.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until)
		VALUES ('1', 'alice', $1, $1, $1, $2)`, now, now+3_600_000)
	require.NoError(t, err)
	device, password, err = other.tokens.IssueDevice(t.Context(), "1", tokens.ServiceXMPP, "phone")
	require.NoError(t, err)
	return other, device, password
}

// TestServeBesideEjabberd runs the service, a real ejabberd with contrib's file and
// the real pipe between them: a login, and a revocation that ends the session.
func TestServeBesideEjabberd(t *testing.T) {
	port, err := integration.FreePort()
	require.NoError(t, err)
	private := fmt.Sprintf("127.0.0.1:%d", port)
	s := &ejStack{t: t, addr: private}
	ej := integration.StartEjabberd(t, integration.EjabberdConfig{
		Domain: ejDomain, Config: s.config(), Users: map[string]string{kickUser: kickPass},
	})
	path := writeConfig(t, fmt.Sprintf("extauth_secret = %q\nejabberd_password = %q\n", ejSecret, kickPass)+jsonLog+
		fmt.Sprintf("[ejabberd]\napi_url = %q\napi_user = %q\n", ej.APIURL(), kickUser))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = []byte(strings.Replace(string(text), `private_listen = "127.0.0.1:0"`, fmt.Sprintf("private_listen = %q", private), 1))
	require.NoError(t, os.WriteFile(path, text, 0o600))
	r := startServing(t, path, nil)
	other, device, password := member(t, path)

	phone := integration.Connect(t, ej, "alice", password, "phone")
	phone.Sync()
	// A follower begins at the feed's end as it was at the very first start.
	await(t, func() bool {
		var n int
		require.NoError(t, other.db.QueryRowContext(t.Context(),
			`SELECT count(*) FROM cursors WHERE name IN ($1, $2)`, firstLook, secondLook).Scan(&n))
		return n == 2
	})
	found, err := other.tokens.RevokeDevice(t.Context(), "1", device.ID, "this password was revoked")
	require.NoError(t, err)
	require.True(t, found)
	phone.Expect("the end", kicked)
	assert.Equal(t, exitOK, r.stop())
}

// TestServeWantsCertificatesOnThePrivateListener: the configuration, the socket and
// the audit record's caller, not only the handshake.
func TestServeWantsCertificatesOnThePrivateListener(t *testing.T) {
	dir, ours := t.TempDir(), newAuthority(t)
	ca := filepath.Join(dir, "ca.pem")
	writePEM(t, ca, "CERTIFICATE", ours.cert.Raw)
	cert, key := ours.issue(dir, "server")
	path := writeConfig(t, jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	tlsKeys := fmt.Sprintf("[server]\nprivate_tls_cert = %q\nprivate_tls_key = %q\nprivate_client_ca = %q\n", cert, key, ca)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "[server]\n", tlsKeys, 1)), 0o600))
	r := startServing(t, path, nil)
	other, _, password := member(t, path)

	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	ask := func(certs ...tls.Certificate) (string, error) {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}, DisableKeepAlives: true}}
		q := httpFronts["verify_secret"]
		req, err := http.NewRequestWithContext(t.Context(), q.method, "https://"+r.private+q.path, strings.NewReader(q.body(password)))
		require.NoError(t, err)
		req.Header.Set("Authorization", q.auth(other.cfg.Secrets.VerifySecret.Reveal()))
		res, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		return string(answer), err
	}
	_, err = ask()
	require.Error(t, err, "without a certificate")
	pair, err := tls.LoadX509KeyPair(ours.issue(dir, "prosody-one"))
	require.NoError(t, err)
	answer, err := ask(pair)
	require.NoError(t, err)
	assert.Contains(t, answer, `"yes"`)
	await(t, func() bool {
		var n int
		require.NoError(t, other.db.QueryRowContext(t.Context(),
			`SELECT count(*) FROM audit WHERE front = 'prosody' AND caller = 'prosody-one' AND outcome = 'yes'`).Scan(&n))
		return n == 1
	})
	assert.Equal(t, exitOK, r.stop())
}

// TestServeTakesPasswordsOverTLSAlone: an LDAP listener that other machines reach
// wants StartTLS, and the second one speaks TLS from the first byte.
func TestServeTakesPasswordsOverTLSAlone(t *testing.T) {
	dir, ours := t.TempDir(), newAuthority(t)
	cert, key := ours.issue(dir, "ldap")
	plain, err := integration.FreePort()
	require.NoError(t, err)
	secure, err := integration.FreePort()
	require.NoError(t, err)
	_, secret, _ := start(t, "config", "secret")
	path := writeConfig(t, fmt.Sprintf("ldap_secret = %q\n", strings.TrimSpace(secret))+jsonLog+
		fmt.Sprintf("[ldap]\nlisten = \"0.0.0.0:%d\"\nlisten_tls = \"127.0.0.1:%d\"\ntls_cert = %q\ntls_key = %q\n", plain, secure, cert, key))
	r := startServing(t, path, nil)
	_, _, password := member(t, path)
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	trust := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}

	bind := func(url string, startTLS bool) error {
		c, err := ldap.DialURL(url, ldap.DialWithTLSConfig(trust))
		require.NoError(t, err)
		defer c.Close()
		if startTLS {
			require.NoError(t, c.StartTLS(trust))
		}
		return c.Bind("uid=alice,ou=people,dc=social,dc=example", password)
	}
	address := fmt.Sprintf("ldap://127.0.0.1:%d", plain)
	assert.True(t, ldap.IsErrorWithCode(bind(address, false), ldap.LDAPResultConfidentialityRequired))
	require.NoError(t, bind(address, true))
	require.NoError(t, bind(fmt.Sprintf("ldaps://127.0.0.1:%d", secure), false))
	assert.Equal(t, exitOK, r.stop())
}

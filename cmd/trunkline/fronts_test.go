package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// question is how one front is asked whether alice's password is right.
type question struct {
	method, path, kind string
	auth               func(secret string) string
	body               func(password string) string // in the query of a GET
	yes                string                       // in the answer to a right password
}

func bearerOf(secret string) string { return "Bearer " + secret }
func basicOf(user string) func(string) string {
	return func(secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
	}
}

func form(pairs ...string) func(string) string {
	return func(password string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], strings.ReplaceAll(pairs[i+1], "PASSWORD", password))
		}
		return v.Encode()
	}
}

var httpFronts = map[string]question{
	"verify_secret": {http.MethodPost, "/verify", "application/json", bearerOf, func(p string) string {
		return fmt.Sprintf(`{"op":"auth","user":"alice","host":"social.example","secret":%q}`, p)
	}, `"yes"`},
	"extauth_secret": {http.MethodPost, "/extauth", "application/json", bearerOf, func(p string) string {
		return fmt.Sprintf(`{"op":"auth","user":"alice","host":"social.example","secret":%q}`, p)
	}, `"yes"`},
	"auth_http_secret": {http.MethodGet, "/prosody/check_password", "", basicOf("prosody"),
		form("user", "alice", "server", "social.example", "pass", "PASSWORD"), "true"},
	"oauth_secret": {http.MethodPost, "/oauth/token", "application/x-www-form-urlencoded", basicOf("prosody"),
		form("grant_type", "password", "username", "alice", "password", "PASSWORD", "scope", "xmpp"), `"access_token"`},
}

func (q question) ask(t *testing.T, address, secret, password string) string {
	t.Helper()
	target, body := "http://"+address+q.path, q.body(password)
	if q.method == http.MethodGet {
		target, body = target+"?"+body, ""
	}
	req, err := http.NewRequestWithContext(t.Context(), q.method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", q.auth(secret))
	req.Header.Set("Content-Type", q.kind)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return fmt.Sprint(res.StatusCode, " ", string(answer))
}

// withAllFronts is a configuration with everything on, and the secret of each.
func withAllFronts(t *testing.T) (path string, secrets map[string]string, ldapAddress string) {
	t.Helper()
	port, err := integration.FreePort()
	require.NoError(t, err)
	ldapAddress = fmt.Sprintf("127.0.0.1:%d", port)
	secrets = map[string]string{}
	lines := ""
	for _, name := range []string{"extauth_secret", "auth_http_secret", "oauth_secret", "ldap_secret", "muc_secret", "webhook_secret"} {
		_, key, _ := start(t, "config", "secret")
		secrets[name] = strings.TrimSpace(key)
		lines += fmt.Sprintf("%s = %q\n", name, secrets[name])
	}
	path = writeConfig(t, lines+jsonLog+fmt.Sprintf("[ldap]\nlisten = %q\n", ldapAddress)+`[sip]
server = "sip.social.example"
[[rooms]]
jid = "tea@rooms.social.example"
allow = ["account:alice"]
`)
	cfg, err := config.Load(path, nil)
	require.NoError(t, err)
	secrets["verify_secret"] = cfg.Secrets.VerifySecret.Reveal()
	return path, secrets, ldapAddress
}

// TestFrontsAnswer asks every front of one running node about one device
// password, right and wrong, with its own secret and with another front's, and
// once more after it was revoked.
func TestFrontsAnswer(t *testing.T) {
	path, secrets, ldapAddress := withAllFronts(t)
	r := startServing(t, path, nil)
	cfg, err := config.Load(path, nil)
	require.NoError(t, err)
	other, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	defer other.close()
	now := time.Now().UnixMilli()
	_, err = other.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until)
		VALUES ('1', 'alice', $1, $1, $1, $2)`, now, now+3_600_000)
	require.NoError(t, err)
	device, password, err := other.tokens.IssueDevice(t.Context(), "1", tokens.ServiceXMPP, "phone")
	require.NoError(t, err)

	bind := func(password string) error {
		c, err := ldap.DialURL("ldap://" + ldapAddress)
		require.NoError(t, err)
		defer c.Close()
		return c.Bind("uid=alice,ou=people,dc=social,dc=example", password)
	}
	for name, q := range httpFronts {
		assert.Contains(t, q.ask(t, r.private, secrets[name], password), q.yes, name)
		assert.NotContains(t, q.ask(t, r.private, secrets[name], password+"x"), q.yes, name)
		for stranger, secret := range secrets {
			if stranger != name {
				assert.NotContains(t, q.ask(t, r.private, secret, password), q.yes, "%s with %s", name, stranger)
			}
		}
		assert.Contains(t, q.ask(t, r.public, secrets[name], password), "404 ", "%s is not for browsers", name)
	}
	require.NoError(t, bind(password))
	require.Error(t, bind(password+"x"))
	join := question{http.MethodGet, "/muc/authorize", "", bearerOf, form("userJID", "alice@social.example", "mucJID", "tea@rooms.social.example"), ""}
	assert.Contains(t, join.ask(t, r.private, secrets["muc_secret"], ""), `"allowed":true`)
	assert.Contains(t, join.ask(t, r.private, secrets["oauth_secret"], ""), `"allowed":false`)

	found, err := other.tokens.RevokeDevice(t.Context(), "1", device.ID, "lost")
	require.NoError(t, err)
	require.True(t, found)
	for name, q := range httpFronts {
		assert.NotContains(t, q.ask(t, r.private, secrets[name], password), q.yes, name)
	}
	require.Error(t, bind(password))

	await(t, func() bool {
		var n int
		require.NoError(t, other.db.QueryRowContext(t.Context(),
			`SELECT count(DISTINCT front) FROM audit WHERE username = 'alice' AND outcome = 'yes'`).Scan(&n))
		return n >= len(httpFronts)+1
	})
	assert.Equal(t, exitOK, r.stop())
	for _, secret := range append([]string{password}, secrets["oauth_secret"], secrets["verify_secret"]) {
		assert.NotContains(t, r.text(), secret, "nothing secret is logged, at no level")
	}
}

func TestFrontsWithoutASecretAreNotThere(t *testing.T) {
	r := startServing(t, writeConfig(t, jsonLog), nil)
	for name, q := range httpFronts {
		if name != "verify_secret" {
			assert.Contains(t, q.ask(t, r.private, "", "x"), "404 ", name)
		}
	}
	for _, path := range []string{"/muc/authorize", "/.well-known/oauth-authorization-server", "/oauth/introspect"} {
		status, _ := r.get(r.private, path)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	assert.Equal(t, exitOK, r.stop())
}

// What only the parts themselves can judge is told as a sentence, and nothing
// listens.
func TestServeSaysWhichFrontIsWrong(t *testing.T) {
	_, key, _ := start(t, "config", "secret")
	secret := fmt.Sprintf("ldap_secret = %q\n", strings.TrimSpace(key))
	code, _, stderr := start(t, "serve", "--config", writeConfig(t, secret+"[ldap]\nlisten = \"127.0.0.1:0\"\nservice_dn = \"uid=alice,ou=people,dc=social,dc=example\"\n"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "service")
	assert.NotContains(t, stderr, "listening")
}

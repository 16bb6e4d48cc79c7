package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// access is what a composition root makes of tokens for OAuth.
type access struct{ *tokens.Service }

func (a access) MintAccess(ctx context.Context, service, username, secret, front, from string) (
	token string, expires time.Time, ok bool, reason, account, credential string, err error) {
	token, expires, v, err := a.Service.MintAccess(ctx, tokens.Attempt{
		Service: service, Username: username, Secret: secret, Front: front, From: from,
	})
	return token, expires, v.OK, v.Reason, v.Account, v.Credential, err
}

// desk is the private listener with real passwords behind it.
type desk struct {
	t      *testing.T
	clock  *clock
	db     *sqldb.DB
	tokens *tokens.Service
	server *httptest.Server
	oauth  oauth2.Config

	mu  sync.Mutex
	log bytes.Buffer
}

func (d *desk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, db: sqldbtest.New(t)}
	log := slog.New(slog.NewTextHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	d.tokens, err = tokens.New(tokens.Config{DB: d.db, Key: bytes.Repeat([]byte{7}, 32), Now: d.clock.Now, Realm: domain, Log: log})
	require.NoError(t, err)
	_, err = d.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until)
		VALUES ('id-alice', 'alice', 0, 0, $1, $2)`, d.clock.Now().UnixMilli(), d.clock.Now().Add(24*time.Hour).UnixMilli())
	require.NoError(t, err)
	core, err := backend.NewCore(backend.CoreConfig{Verifier: verifier{d.tokens}, Domain: domain, Now: d.clock.Now, Log: log})
	require.NoError(t, err)
	oauth, err := backend.OAuth(core, access{d.tokens}, backend.OAuthConfig{ClientID: "prosody", Secret: []byte(sharedSecret), Now: d.clock.Now})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/oauth/", oauth)
	mux.Handle("/prosody/", backend.AuthHTTP(core, "prosody", []byte(sharedSecret)))
	d.server = httptest.NewServer(mux)
	t.Cleanup(d.server.Close)
	d.oauth = oauth2.Config{ClientID: "prosody", ClientSecret: sharedSecret, Scopes: []string{"xmpp"},
		Endpoint: oauth2.Endpoint{TokenURL: d.server.URL + "/oauth/token", AuthStyle: oauth2.AuthStyleInParams}}
	return d
}

// token is by x/oauth2; "" for a password that is not right.
func (d *desk) token(username, password string) string {
	d.t.Helper()
	ctx := context.WithValue(d.t.Context(), oauth2.HTTPClient, d.server.Client())
	token, err := d.oauth.PasswordCredentialsToken(ctx, username, password)
	if err != nil {
		var said *oauth2.RetrieveError
		require.ErrorAs(d.t, err, &said)
		require.Equal(d.t, "invalid_grant", said.ErrorCode)
		return ""
	}
	return token.AccessToken
}

// whose is the name that userinfo tells for a token, "" for a refusal.
func (d *desk) whose(token string) string {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.server.URL+"/oauth/userinfo", nil)
	require.NoError(d.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := d.server.Client().Do(r)
	require.NoError(d.t, err)
	defer res.Body.Close()
	var body map[string]string
	require.NoError(d.t, json.NewDecoder(res.Body).Decode(&body))
	require.Equal(d.t, res.StatusCode == http.StatusUnauthorized, body["status"] == "invalid_token")
	return body["preferred_username"]
}

// right asks by the mod_auth_http dialect.
func (d *desk) right(username, password string) bool {
	d.t.Helper()
	query := url.Values{"user": {username}, "server": {domain}, "pass": {password}}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.server.URL+"/prosody/check_password?"+query.Encode(), nil)
	require.NoError(d.t, err)
	r.SetBasicAuth("prosody", sharedSecret)
	res, err := d.server.Client().Do(r)
	require.NoError(d.t, err)
	defer res.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(res.Body)
	require.NoError(d.t, err)
	return res.StatusCode == http.StatusOK && body.String() == "true"
}

func TestDevicePasswordsThroughOAuthAndAuthHTTP(t *testing.T) {
	d := newDesk(t)
	phone, password, err := d.tokens.IssueDevice(t.Context(), "id-alice", "xmpp", "Phone")
	require.NoError(t, err)
	_, sip, err := d.tokens.IssueDevice(t.Context(), "id-alice", "sip", "Desk phone")
	require.NoError(t, err)
	temporary, _, err := d.tokens.IssueTemporary(t.Context(), "id-alice", "session")
	require.NoError(t, err)

	token := d.token("alice@"+domain, password)
	require.Equal(t, "alice", d.whose(token))
	require.True(t, d.right("alice", password))
	require.Equal(t, "alice", d.whose(d.token("Alice", temporary)))
	require.Empty(t, d.token("alice", sip), "a phone's password is for the phone")
	require.False(t, d.right("alice", sip))
	require.Empty(t, d.token("alice", password+"x"))
	require.Empty(t, d.whose(password), "a password is no token")
	require.Empty(t, d.token("alice", token), "and a token no password")
	require.False(t, d.right("alice", token))

	d.clock.advance(59 * time.Second)
	require.Equal(t, "alice", d.whose(token))
	d.clock.advance(time.Second)
	require.Empty(t, d.whose(token), "60 s are over")

	token = d.token("alice", password)
	_, err = d.db.ExecContext(t.Context(), `UPDATE accounts SET suspended_at = 1 WHERE id = 'id-alice'`)
	require.NoError(t, err)
	require.Empty(t, d.whose(token))
	require.False(t, d.right("alice", password))
	require.Empty(t, d.token("alice", password))
	_, err = d.db.ExecContext(t.Context(), `UPDATE accounts SET suspended_at = NULL WHERE id = 'id-alice'`)
	require.NoError(t, err)
	token = d.token("alice", password)
	require.Equal(t, "alice", d.whose(token), "back again, with the same password")

	found, err := d.tokens.RevokeDevice(t.Context(), "id-alice", phone.ID, "lost")
	require.NoError(t, err)
	require.True(t, found)
	require.Empty(t, d.whose(token), "it dies with its password")
	require.Empty(t, d.token("alice", password))
	require.False(t, d.right("alice", password))

	for _, secret := range []string{password, strings.TrimPrefix(password, "tld-"), sip, temporary, token, sharedSecret} {
		require.NotContains(t, d.log.String(), secret)
	}
}

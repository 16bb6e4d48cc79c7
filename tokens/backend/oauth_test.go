package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// desk makes access tokens for what a table knows.
type desk struct {
	*table
	mu     sync.Mutex
	tokens map[string]string // username by token
	err    error
	asked  []string // tokens that were looked for
}

func (d *desk) MintAccess(ctx context.Context, service, username, secret, front, from string) (
	token string, expires time.Time, ok bool, reason, account, credential string, err error) {
	ok, reason, account, _, credential, err = d.Check(ctx, service, username, secret, front, from)
	if !ok || err != nil || service != "xmpp" || front != "oauth" {
		return "", time.Time{}, false, reason, "", "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	token = fmt.Sprintf("tla_minted%d", len(d.tokens))
	d.tokens[token] = username
	return token, oauthNow().Add(time.Minute), true, reason, account, credential, nil
}

func (d *desk) Access(_ context.Context, token string) (username, account string, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, token)
	username, ok = d.tokens[token]
	return username, "id-" + username, ok, d.err
}

func oauthNow() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

const alicesPassword = "tld-abcd+/=&é efgh"

func newDesk() *desk {
	return &desk{table: &table{passwords: map[string]string{"alice": alicesPassword, "carol": "x"}}, tokens: map[string]string{}}
}

func (d *desk) handler(t *testing.T) http.Handler {
	t.Helper()
	h, err := OAuth(d.core(t, "social.example"), d, OAuthConfig{ClientID: "prosody", Secret: []byte("s3cr3t"), Now: oauthNow})
	require.NoError(t, err)
	return h
}

// grantRequest is what Prosody 0.12.3 with mod_auth_oauth_external was seen to send
// for a login with SASL PLAIN.
func grantRequest(body string, head ...string) string {
	return lines(body, append([]string{"POST /oauth/token HTTP/1.1", "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
		"Accept: application/json", "Host: 127.0.0.1:18080", "User-Agent: Prosody XMPP Server",
		"Content-Length: " + strconv.Itoa(len(body))}, head...)...)
}

const grantBody = "grant_type=password&client_id=prosody&client_secret=s3cr3t&username=alice&password=tld-abcd%2b%2f%3d%26%c3%a9+efgh&scope=xmpp"

// validation is its second request, and its only one for OAUTHBEARER.
func validation(token string) string {
	return lines("", "GET /oauth/userinfo HTTP/1.1", "Authorization: Bearer "+token, "Accept: application/json",
		"Host: 127.0.0.1:18080", "User-Agent: Prosody XMPP Server")
}

type tokenAnswer struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), w.Body.String())
	return v
}

func TestOAuthGoldenRequests(t *testing.T) {
	d := newDesk()
	h := d.handler(t)
	w := wire(t, h, grantRequest(grantBody))
	require.Equal(t, http.StatusOK, w.Code)
	a := decode[tokenAnswer](t, w)
	require.Equal(t, tokenAnswer{Token: "tla_minted0", Type: "Bearer", Expires: 60, Scope: "xmpp"}, a)
	require.Equal(t, "bearer", strings.ToLower(a.Type), "what the module compares")
	require.Equal(t, Event{Front: "oauth", Caller: "127.0.0.1", Op: "auth", Username: "alice", Account: "id-alice",
		Credential: "credential-alice", Outcome: "yes", Reason: "ok"}, d.last())

	w = wire(t, h, validation(a.Token))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, map[string]any{"sub": "id-alice", "preferred_username": "alice"}, decode[map[string]any](t, w), "and nothing else")
	require.Equal(t, Event{Front: "oauth", Caller: "127.0.0.1", Op: "token", Username: "alice", Account: "id-alice",
		Outcome: "yes", Reason: "ok"}, d.last())
}

func TestOAuthAnyOrder(t *testing.T) {
	h := newDesk().handler(t)
	parts := strings.Split(grantBody, "&")
	for i := range parts {
		turned := append(append([]string{}, parts[i:]...), parts[:i]...)
		require.Equal(t, http.StatusOK, wire(t, h, grantRequest(strings.Join(turned, "&"))).Code)
		for j := range i {
			turned[0], turned[j] = turned[j], turned[0]
			require.Equal(t, http.StatusOK, wire(t, h, grantRequest(strings.Join(turned, "&"))).Code)
		}
	}
}

// People type their name, or their whole address; Prosody sends what it makes of
// either, and the answer is always the simple name.
func TestOAuthUsernames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for username, status := range map[string]int{
			"alice": 200, "alice@social.example": 200, "alice@Social.Example": 200,
			"alice@other.example": 400, "bob": 400, "bob@social.example": 400, "@social.example": 400, "alice@": 400, "": 400,
			`alice\40social.example`: 400, "alice@social.example@social.example": 400, "alice@social.example/phone": 400,
			strings.Repeat("a", 1024): 400,
		} {
			d := newDesk()
			h := d.handler(t)
			form := url.Values{"grant_type": {"password"}, "client_id": {"prosody"}, "client_secret": {"s3cr3t"},
				"username": {username}, "password": {alicesPassword}}
			w := wire(t, h, grantRequest(form.Encode()))
			require.Equal(t, status, w.Code, username)
			if status != 200 {
				require.Contains(t, []string{"invalid_grant", "invalid_request"}, decode[tokenAnswer](t, w).Error, username)
				continue
			}
			w = wire(t, h, validation(decode[tokenAnswer](t, w).Token))
			require.Equal(t, "alice", decode[map[string]any](t, w)["preferred_username"], username)
		}
	})
}

func basic(id, secret string) string {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return "Authorization: " + r.Header.Get("Authorization")
}

// The bodies of RFC 6749 section 5.2.
func TestOAuthRefusals(t *testing.T) {
	const client, grant = "&client_id=prosody&client_secret=s3cr3t", "grant_type=password&username=alice&password=tld-abcd%2b%2f%3d%26%c3%a9+efgh"
	rows := []struct {
		name, raw string
		status    int
		code      string
	}{
		{"wrong password", grantRequest("grant_type=password&username=alice&password=x" + client), 400, "invalid_grant"},
		{"another host", grantRequest("grant_type=password&username=alice@other.example&password=x" + client), 400, "invalid_grant"},
		{"wrong secret", grantRequest(grant + "&client_id=prosody&client_secret=x"), 401, "invalid_client"},
		{"wrong id", grantRequest(grant + "&client_id=x&client_secret=s3cr3t"), 401, "invalid_client"},
		{"no client", grantRequest(grant), 401, "invalid_client"},
		{"id alone", grantRequest(grant + "&client_id=prosody"), 401, "invalid_client"},
		{"Basic", grantRequest(grant, basic("prosody", "s3cr3t")), 200, ""},
		{"Basic with the id in the form too", grantRequest(grant+"&client_id=prosody", basic("prosody", "s3cr3t")), 200, ""},
		{"Basic with another id in the form", grantRequest(grant+"&client_id=x", basic("prosody", "s3cr3t")), 401, "invalid_client"},
		{"Basic and form", grantRequest(grant+client, basic("prosody", "s3cr3t")), 400, "invalid_request"},
		{"wrong Basic", grantRequest(grant, basic("prosody", "x")), 401, "invalid_client"},
		{"Basic that is not encoded", grantRequest(grant, "Authorization: Basic cHJvc29keTolenM="), 401, "invalid_client"}, // prosody:%zs
		{"Bearer", grantRequest(grant, "Authorization: Bearer s3cr3t"), 401, "invalid_client"},
		{"no grant", grantRequest("username=alice&password=x" + client), 400, "invalid_request"},
		{"another grant", grantRequest("grant_type=client_credentials" + client), 400, "unsupported_grant_type"},
		{"code", grantRequest("grant_type=authorization_code&code=x" + client), 400, "unsupported_grant_type"},
		{"no username", grantRequest("grant_type=password&password=x" + client), 400, "invalid_request"},
		{"no password", grantRequest("grant_type=password&username=alice&password=" + client), 400, "invalid_request"},
		{"username twice", grantRequest(grant + client + "&username=carol"), 400, "invalid_request"},
		{"password twice", grantRequest(grant + client + "&password=x"), 400, "invalid_request"},
		{"odd scope", grantRequest(grant + client + "&scope=%22"), 400, "invalid_scope"},
		{"unknown scopes", grantRequest(grant + client + "&scope=openid+profile"), 200, ""},
		{"no form", grantRequest("%zz" + client), 400, "invalid_request"},
		{"no UTF-8", grantRequest("x=%ff" + client), 400, "invalid_request"},
		{"long", grantRequest(grant + client + "&x=" + strings.Repeat("x", maxForm)), 413, "invalid_request"},
		{"JSON", lines("{}", "POST /oauth/token HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 2"), 400, "invalid_request"},
		{"GET", lines("", "GET /oauth/token?"+grant+client+" HTTP/1.1", "Host: x"), 405, "invalid_request"},
		{"the secret in the URL", lines(grant, "POST /oauth/token?"+client[1:]+" HTTP/1.1", "Host: x",
			"Content-Type: application/x-www-form-urlencoded", "Content-Length: "+strconv.Itoa(len(grant))), 401, "invalid_client"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				w := wire(t, d.handler(t), row.raw)
				require.Equal(t, row.status, w.Code, w.Body.String())
				a := decode[tokenAnswer](t, w)
				require.Equal(t, row.code, a.Error)
				require.Equal(t, row.status == 200, a.Token != "")
				require.Equal(t, row.status == 401, w.Header().Get("WWW-Authenticate") != "")
				if row.code != "invalid_grant" && row.status != 200 {
					require.Empty(t, d.last(), "who is not let in asks nothing")
				}
			})
		})
	}
}

// slowDesk does not look at its context.
type slowDesk struct {
	*desk
	free chan struct{}
}

func (s slowDesk) Access(ctx context.Context, token string) (string, string, bool, error) {
	<-s.free
	return s.desk.Access(ctx, token)
}

func TestOAuthAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := slowDesk{newDesk(), make(chan struct{})}
		h, err := OAuth(d.core(t, "social.example"), d, OAuthConfig{ClientID: "prosody", Secret: []byte("s3cr3t")})
		require.NoError(t, err)
		began := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, wire(t, h, validation("tla_x")).Code)
		require.Equal(t, thinkTime, time.Since(began))
		close(d.free)
	})
}

func TestOAuthConfiguration(t *testing.T) {
	d := newDesk()
	core := d.core(t, "social.example")
	for _, cfg := range []OAuthConfig{
		{}, {ClientID: "x"}, {Secret: []byte("x")},
		{ClientID: "x", Secret: []byte("x"), Issuer: "chat.example"}, {ClientID: "x", Secret: []byte("x"), Issuer: "https://x/y"},
		{ClientID: "x", Secret: []byte("x"), Issuer: "https://x?y"}, {ClientID: "x", Secret: []byte("x"), Issuer: "ftp://x"},
	} {
		_, err := OAuth(core, d, cfg)
		require.Error(t, err, cfg.Issuer)
	}
	_, err := OAuth(core, nil, OAuthConfig{ClientID: "x", Secret: []byte("x")})
	require.Error(t, err)
}

func TestOAuthSecretsAreNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, err := range []error{nil, errTrouble} {
			d := newDesk()
			h := d.handler(t)
			token := decode[tokenAnswer](t, wire(t, h, grantRequest(grantBody))).Token
			d.table.err, d.err = err, err
			for _, raw := range []string{
				grantRequest(grantBody), grantRequest(strings.Replace(grantBody, "alice", "bob", 1)), grantRequest(grantBody + "&client_secret=s3cr3t"),
				grantRequest(grantBody + "%zz"), grantRequest(grantBody, basic("s3cr3t", "s3cr3t")), validation(token), validation(token + "x"),
				validation("mastodon-s3cr3t"), introspection("token=" + token), introspection("token=" + token + "&client_id=prosody&client_secret=s3cr3t"),
				lines("", "GET /oauth/userinfo?access_token="+token+" HTTP/1.1", "Host: x"),
				lines("", "GET /oauth/token?client_secret=s3cr3t HTTP/1.1", "Host: x"),
			} {
				w := wire(t, h, raw)
				require.NotContains(t, w.Body.String(), "s3cr3t")
			}
			require.Contains(t, d.logged(), "a token that was not made here")
			for _, secret := range []string{"s3cr3t", token, alicesPassword, "abcd"} {
				require.NotContains(t, d.logged(), secret)
				require.NotContains(t, fmt.Sprint(d.events), secret)
			}
		}
	})
}

// golang.org/x/oauth2 as the client, over a real connection.
func TestOAuthWithARealClient(t *testing.T) {
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
		d := newDesk()
		server := httptest.NewServer(d.handler(t))
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, server.Client())
		cfg := oauth2.Config{ClientID: "prosody", ClientSecret: "s3cr3t", Scopes: []string{"xmpp"},
			Endpoint: oauth2.Endpoint{TokenURL: server.URL + "/oauth/token", AuthStyle: style}}
		token, err := cfg.PasswordCredentialsToken(ctx, "alice@social.example", alicesPassword)
		require.NoError(t, err)
		require.Equal(t, "Bearer", token.Type())
		require.WithinDuration(t, time.Now().Add(time.Minute), token.Expiry, 10*time.Second)
		res, err := cfg.Client(ctx, token).Get(server.URL + "/oauth/userinfo")
		require.NoError(t, err)
		var who map[string]string
		require.NoError(t, json.NewDecoder(res.Body).Decode(&who))
		require.NoError(t, res.Body.Close())
		require.Equal(t, "alice", who["preferred_username"])

		_, err = cfg.PasswordCredentialsToken(ctx, "alice", "wrong")
		var said *oauth2.RetrieveError
		require.ErrorAs(t, err, &said)
		require.Equal(t, "invalid_grant", said.ErrorCode)
		cfg.ClientSecret = "wrong"
		_, err = cfg.PasswordCredentialsToken(ctx, "alice", alicesPassword)
		require.ErrorAs(t, err, &said)
		require.Equal(t, "invalid_client", said.ErrorCode)
		server.Close()
	}
}

// FuzzGrant: what parses is a complete question about one localpart; a password
// comes out as it went in, and no error quotes the form.
func FuzzGrant(f *testing.F) {
	f.Add(grantBody)
	f.Add("grant_type=password&username=alice%40social.example&password=%00")
	f.Add("grant_type=password&username=@&password=x&scope=%22")
	f.Add("grant_type=password&username=a;b&password=x")
	f.Add("grant_type=password&username=a&password=%s3cr3t")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
		if err != nil {
			require.NotContains(t, err.Error(), "%")
			return
		}
		q, failure := parseGrant(form)
		if failure != nil {
			require.Empty(t, q.Secret)
			require.NotEmpty(t, failure.code)
			require.GreaterOrEqual(t, failure.status, 400)
			return
		}
		require.NotEmpty(t, q.User)
		require.Equal(t, form.Get("password"), q.Secret)
		require.NotEmpty(t, q.Secret)
		require.True(t, utf8.ValidString(q.User+q.Host+q.Secret))
		if q.Host != "" {
			require.Equal(t, form.Get("username"), q.User+"@"+q.Host)
		} else {
			require.Equal(t, form.Get("username"), q.User)
		}
	})
}

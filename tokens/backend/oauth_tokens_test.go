package backend

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOAuthForeignTokens(t *testing.T) {
	d := newDesk()
	h := d.handler(t)
	token := decode[tokenAnswer](t, wire(t, h, grantRequest(grantBody))).Token
	// A Mastodon token, our other secrets, what has ended, and nonsense.
	for _, other := range []string{"Zk3-mastodon-token-of-another-app", "tlt_abcdefghijklmnopqrstuvwxyz234567", alicesPassword,
		"tla_gone", "", token + " x", "TLA_minted0", token + "," + token} {
		w := wire(t, h, validation(other))
		require.Equal(t, http.StatusUnauthorized, w.Code, other)
		require.Contains(t, w.Header().Get("WWW-Authenticate"), `error="invalid_token"`)
		body := decode[map[string]any](t, w)
		require.Equal(t, "invalid_token", body["status"], "the SASL challenge that the client sees (RFC 7628 section 3.2.2)")
		require.Equal(t, "no", d.last().Outcome)
	}
	require.NotContains(t, d.asked, "Zk3-mastodon-token-of-another-app", "not even looked for")
	for _, raw := range []string{
		lines("", "GET /oauth/userinfo HTTP/1.1", "Host: x"),
		lines("", "GET /oauth/userinfo?access_token="+token+" HTTP/1.1", "Host: x"),
		lines("", "GET /oauth/userinfo HTTP/1.1", "Host: x", basic("prosody", "s3cr3t")),
		lines("", "GET /oauth/userinfo HTTP/1.1", "Host: x", "Authorization: "+token),
	} {
		require.Equal(t, http.StatusUnauthorized, wire(t, h, raw).Code, raw)
	}
	require.Equal(t, http.StatusMethodNotAllowed, wire(t, h, lines("", "DELETE /oauth/userinfo HTTP/1.1", "Host: x", "Authorization: Bearer "+token)).Code)
	require.Equal(t, http.StatusOK, wire(t, h, lines("", "POST /oauth/userinfo HTTP/1.1", "Host: x", "Authorization: bearer "+token)).Code)
}

func introspection(body string, head ...string) string {
	return strings.Replace(grantRequest(body, head...), "/oauth/token", "/oauth/introspect", 1)
}

func TestOAuthIntrospection(t *testing.T) {
	d := newDesk()
	h := d.handler(t)
	token := decode[tokenAnswer](t, wire(t, h, grantRequest(grantBody))).Token
	const client = "&client_id=prosody&client_secret=s3cr3t"
	w := wire(t, h, introspection("token="+token+"&token_type_hint=access_token"+client))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, map[string]any{"active": true, "scope": "xmpp", "client_id": "prosody", "username": "alice",
		"token_type": "Bearer", "sub": "id-alice", "iss": "http://127.0.0.1:18080"}, decode[map[string]any](t, w))
	require.Equal(t, http.StatusOK, wire(t, h, introspection("token="+token, basic("prosody", "s3cr3t"))).Code)
	for _, other := range []string{"tla_gone", "mastodon"} {
		w = wire(t, h, introspection("token="+other+client))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, map[string]any{"active": false}, decode[map[string]any](t, w), "nothing else (RFC 7662 section 2.2)")
	}
	for _, body := range []string{"token=" + token, "token=" + token + "&client_id=prosody&client_secret=x"} {
		w = wire(t, h, introspection(body))
		require.Equal(t, http.StatusUnauthorized, w.Code)
		require.Equal(t, "invalid_client", decode[tokenAnswer](t, w).Error)
	}
	require.Equal(t, http.StatusBadRequest, wire(t, h, introspection("x=y"+client)).Code)
	require.Equal(t, http.StatusUnauthorized, wire(t, h, introspection("token="+token, "Authorization: Bearer "+token)).Code)
}

func TestOAuthCannotTell(t *testing.T) {
	d := newDesk()
	h := d.handler(t)
	token := decode[tokenAnswer](t, wire(t, h, grantRequest(grantBody))).Token
	d.table.err, d.err = errTrouble, errTrouble
	for raw, code := range map[string]string{
		grantRequest(grantBody): "temporarily_unavailable", validation(token): "temporarily_unavailable",
		introspection("token=" + token + "&client_id=prosody&client_secret=s3cr3t"): "temporarily_unavailable",
	} {
		w := wire(t, h, raw)
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, code, decode[tokenAnswer](t, w).Error)
		require.Equal(t, "unknown", d.last().Outcome)
	}
	require.Equal(t, "server_error", decode[map[string]any](t, wire(t, h, validation(token)))["status"])
}

func TestOAuthMetadata(t *testing.T) {
	d := newDesk()
	get := func(h http.Handler, host string) map[string]any {
		w := wire(t, h, lines("", "GET /.well-known/oauth-authorization-server HTTP/1.1", "Host: "+host))
		require.Equal(t, http.StatusOK, w.Code)
		return decode[map[string]any](t, w)
	}
	auth := []any{"client_secret_basic", "client_secret_post"}
	require.Equal(t, map[string]any{
		"issuer": "http://127.0.0.1:18080", "token_endpoint": "http://127.0.0.1:18080/oauth/token",
		"userinfo_endpoint": "http://127.0.0.1:18080/oauth/userinfo", "introspection_endpoint": "http://127.0.0.1:18080/oauth/introspect",
		"scopes_supported": []any{"xmpp"}, "response_types_supported": []any{}, "grant_types_supported": []any{"password"},
		"token_endpoint_auth_methods_supported": auth, "introspection_endpoint_auth_methods_supported": auth,
	}, get(d.handler(t), "127.0.0.1:18080"))
	h, err := OAuth(d.core(t, "social.example"), d, OAuthConfig{Issuer: "https://chat.example/", ClientID: "p", Secret: []byte("s")})
	require.NoError(t, err)
	require.Equal(t, "https://chat.example", get(h, "[::1]:1")["issuer"])
	for _, host := range []string{"", "a b", "x/y", "x?y", "u@x", ":80"} {
		r := httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusBadRequest, w.Code, host)
	}
}

package mastodontest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const redirect = "http://client.example/cb"

// rig is a server, one browser, and a registered app.
type rig struct {
	*testing.T
	s        *Server
	origin   string
	b        *Browser
	id, pass string
}

func start(t *testing.T, o Options) *rig {
	t.Helper()
	s := New(o)
	origin, stop, err := s.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	r := &rig{T: t, s: s, origin: origin, b: NewBrowser("alice")}
	var a struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	res := r.post("/api/v1/apps", url.Values{"client_name": {"x"}, "redirect_uris": {redirect}, "scopes": {"read:accounts read:follows profile"}})
	require.NoError(t, json.Unmarshal([]byte(res.body), &a))
	r.id, r.pass = a.ID, a.Secret
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) do(method, path, body string, header http.Header) answer {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), method, r.origin+path, strings.NewReader(body))
	require.NoError(r, err)
	q.Header.Set("User-Agent", "test")
	for k := range header {
		q.Header.Set(k, header.Get(k))
	}
	res, err := r.b.Client().Do(q)
	require.NoError(r, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(r, err)
	return answer{res.StatusCode, res.Header, string(b)}
}

func (r *rig) get(path string) answer { r.Helper(); return r.do("GET", path, "", nil) }

func (r *rig) post(path string, form url.Values) answer {
	r.Helper()
	return r.do("POST", path, form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

func (r *rig) with(token, path string) answer {
	r.Helper()
	return r.do("GET", path, "", http.Header{"Authorization": {"Bearer " + token}})
}

func (r *rig) authURL(more url.Values) string {
	q := url.Values{"client_id": {r.id}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"read:accounts read:follows"}, "state": {"s"}}
	for k := range more {
		q[k] = more[k]
	}
	return r.origin + "/oauth/authorize?" + q.Encode()
}

func (r *rig) authorize(more url.Values) url.Values {
	r.Helper()
	to, err := r.b.Authorize(r.Context(), r.authURL(more))
	require.NoError(r, err)
	u, err := url.Parse(to)
	require.NoError(r, err)
	return u.Query()
}

func (r *rig) token() string {
	r.Helper()
	res := r.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {r.id}, "client_secret": {r.pass}, "redirect_uri": {redirect},
		"code": {r.authorize(nil).Get("code")},
	})
	var tok struct {
		Access string `json:"access_token"`
	}
	require.NoError(r, json.Unmarshal([]byte(res.body), &tok), res.body)
	require.NotEmpty(r, tok.Access, res.body)
	return tok.Access
}

func (r *rig) signIn() {
	r.Helper()
	page := r.get("/auth/sign_in").body
	csrf := regexp.MustCompile(`authenticity_token" value="([^"]+)"`).FindStringSubmatch(page)
	require.Len(r, csrf, 2)
	res := r.post("/auth/sign_in", url.Values{"authenticity_token": {csrf[1]}, "user[email]": {"Alice@social.example"}, "user[password]": {Password}})
	require.Equal(r, http.StatusFound, res.status)
}

// directives are those of content_security_policy.rb, in production.
func TestShellHeaders(t *testing.T) {
	for _, m := range []Mode{V46, V43} {
		t.Run(string(m), func(t *testing.T) {
			r := start(t, Options{Mode: m, Origin: "https://social.example"})
			res := r.get("/")
			require.Equal(t, 200, res.status)
			want := map[string]string{
				"default-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'none'",
				"script-src": "'self' https://social.example 'wasm-unsafe-eval'", "frame-src": "'self' https:",
				"child-src": "'self' blob: https://social.example", "worker-src": "'self' blob: https://social.example",
				"connect-src": "'self' data: blob: https://social.example wss://social.example",
				"img-src":     "'self' data: blob: https://social.example", "media-src": "'self' data: https://social.example",
				"font-src": "'self' https://social.example", "manifest-src": "'self' https://social.example",
			}
			if m == V46 {
				want["script-src"] += " 'sha256-" + themeScriptHash + "'"
			}
			got := map[string]string{}
			for d := range strings.SplitSeq(res.header.Get("Content-Security-Policy"), "; ") {
				name, value, _ := strings.Cut(d, " ")
				got[name] = value
			}
			require.Regexp(t, `^'self' https://social\.example 'nonce-[\w-]+'$`, got["style-src"])
			delete(got, "style-src")
			require.Equal(t, want, got)
			for k, v := range map[string]string{
				"Server": "Mastodon", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "X-Xss-Protection": "0",
				"Referrer-Policy": "same-origin", "Cache-Control": "public, max-age=15, stale-while-revalidate=30, stale-if-error=86400",
			} {
				require.Equal(t, v, res.header.Get(k), k)
			}
			for _, absent := range []string{"Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Permissions-Policy", "Set-Cookie"} {
				require.Empty(t, res.header.Get(absent), absent)
			}
			require.NotContains(t, r.get("/auth/sign_in").header.Get("Content-Security-Policy"), "form-action")
			require.Equal(t, "default-src 'none'; frame-ancestors 'none'; form-action 'none'", r.get("/api/v1/instance").header.Get("Content-Security-Policy"))
		})
	}
}

func state(t *testing.T, page string) (meta map[string]any) {
	t.Helper()
	found := regexp.MustCompile(`(?s)<script id="initial-state" type="application/json">(.*?)</script>`).FindStringSubmatch(page)
	require.Len(t, found, 2)
	require.NotContains(t, found[1], "<")
	var st struct{ Meta map[string]any }
	require.NoError(t, json.Unmarshal([]byte(found[1]), &st))
	return st.Meta
}

func TestShellTellsWhoIsSignedIn(t *testing.T) {
	r := start(t, Options{})
	require.NotContains(t, state(t, r.get("/home").body), "me")
	r.signIn()
	res := r.get("/home")
	require.Equal(t, "private, no-store", res.header.Get("Cache-Control"))
	require.Equal(t, r.s.AccountID("alice"), state(t, res.body)["me"])
	require.Equal(t, "social.example", state(t, res.body)["domain"])
	r.s.SetState("alice", Moved)
	require.NotContains(t, state(t, r.get("/home").body), "me")
	require.Equal(t, http.StatusNotFound, r.get("/chat").status)
}

func TestShellTheme(t *testing.T) {
	page := func(m Mode, scheme, contrast string) string {
		r := start(t, Options{Mode: m})
		r.signIn()
		r.s.SetAppearance("alice", scheme, contrast)
		return r.get("/").body
	}
	require.Contains(t, page(V46, "auto", "auto"), `<html lang="en" data-color-scheme="auto" data-contrast="auto" data-system-theme="true">`)
	require.Contains(t, page(V46, "dark", "high"), `<html lang="en" data-color-scheme="dark" data-contrast="high">`)
	require.Contains(t, page(V46, "dark", "high"), "<script>"+themeScript+"</script>")
	for scheme, class := range map[string]string{"auto": "theme-system", "light": "theme-mastodon-light", "dark": "theme-default"} {
		got := page(V43, scheme, "default")
		require.Contains(t, got, `<body class="app-body `+class+` no-reduce-motion">`)
		require.NotContains(t, got, "data-color-scheme")
		require.NotContains(t, got, themeScript)
	}
	require.Contains(t, page(V43, "light", "high"), "theme-contrast")
}

func TestPaging(t *testing.T) {
	r := start(t, Options{Follows: 93}) // alice follows 100
	tok, id := r.token(), r.s.AccountID("alice")
	path := "/api/v1/accounts/" + id + "/following"
	size := func(res answer) int {
		var people []any
		require.NoError(t, json.Unmarshal([]byte(res.body), &people))
		return len(people)
	}
	require.Equal(t, 40, size(r.with(tok, path)))
	require.Equal(t, 80, size(r.with(tok, path+"?limit=1000")))
	require.Equal(t, 3, size(r.with(tok, path+"?limit=-3")))
	res := r.with(tok, path+"?limit=80")
	next := regexp.MustCompile(`<[^>]*(\?[^>]*)>; rel="next"`).FindStringSubmatch(res.header.Get("Link"))
	require.Len(t, next, 2)
	res = r.with(tok, path+next[1])
	require.Equal(t, 20, size(res))
	require.NotContains(t, res.header.Get("Link"), "next")
	require.Contains(t, res.header.Get("Link"), `rel="prev"`)
}

func TestControl(t *testing.T) {
	require.Equal(t, http.StatusMethodNotAllowed, start(t, Options{}).do("POST", "/__control", `{"op":"counters"}`, nil).status)
	r := start(t, Options{Control: true})
	do := func(s string) answer { return r.do("POST", "/__control", s, nil) }
	tok := r.token()
	require.Contains(t, do(`{"op":"counters"}`).body, `"tokens_live":1`)
	require.Equal(t, 200, do(`{"op":"state","user":"alice","state":"suspended"}`).status)
	require.Equal(t, 403, r.with(tok, "/api/v1/accounts/verify_credentials").status)
	require.Equal(t, 200, do(`{"op":"state","user":"alice","state":"active"}`).status)
	require.Equal(t, 200, do(`{"op":"rate_limit","n":1}`).status)
	require.Equal(t, 429, r.with(tok, "/api/v1/accounts/verify_credentials").status)
	old := r.s.AccountID("alice")
	require.Equal(t, 200, do(`{"op":"renew_id","user":"alice"}`).status)
	require.NotEqual(t, old, r.s.AccountID("alice"))
	require.Equal(t, 401, r.with(tok, "/api/v1/accounts/verify_credentials").status)
	for _, bad := range []string{`{"op":"x"}`, `{"op":"state","user":"zed","state":"active"}`, `{"op":"state","user":"bob","state":"x"}`, `{"op":"renew_id"}`, `x`} {
		require.Equal(t, 400, do(bad).status, bad)
	}
	require.Equal(t, 200, do(`{"op":"down","how":"503"}`).status)
	require.Equal(t, 503, r.get("/api/v1/instance").status)
	require.Equal(t, 200, r.get("/").status)
}

func TestKeepState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	r := start(t, Options{})
	require.NoError(t, r.s.KeepState(file))
	tok := r.token()
	again := start(t, Options{})
	require.NoError(t, again.s.KeepState(file))
	require.Equal(t, 200, again.with(tok, "/api/v1/accounts/verify_credentials").status)
	again.id, again.pass = r.id, r.pass
	require.Equal(t, tok, again.token())
}

func TestEmbedScriptComesWithoutCookies(t *testing.T) {
	var seen http.Header
	up := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		seen = q.Header.Clone()
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, "// embed")
	})}
	origin := serve(t, &up)
	r := start(t, Options{})
	require.NotContains(t, r.get("/").body, "embed.js")
	require.Equal(t, 404, r.get("/trunkline/embed.js").status)
	r.s.SetEmbedUpstream(origin)
	r.signIn()
	require.Contains(t, r.get("/").body, `<script src="/trunkline/embed.js" defer></script>`)
	res := r.get("/trunkline/embed.js")
	require.Equal(t, "// embed", res.body)
	require.Empty(t, res.header.Get("Set-Cookie"))
	require.Empty(t, res.header.Get("X-Frame-Options"), "Trunkline's answer speaks for itself")
	require.Empty(t, seen.Get("Cookie"))
}

func TestSignInNeedsItsToken(t *testing.T) {
	r := start(t, Options{})
	r.get("/auth/sign_in")
	res := r.post("/auth/sign_in", url.Values{"user[email]": {"alice"}, "user[password]": {Password}})
	require.Equal(t, http.StatusUnprocessableEntity, res.status)
	r.signIn()
	require.Equal(t, http.StatusUnprocessableEntity, r.do("DELETE", "/auth/sign_out", "", http.Header{"Accept": {"application/json"}}).status)
	require.Contains(t, state(t, r.get("/").body), "me")
}

func TestAvatars(t *testing.T) {
	r := start(t, Options{})
	res := r.get("/avatars/" + r.s.AccountID("bob") + ".svg")
	require.Equal(t, "image/svg+xml", res.header.Get("Content-Type"))
	require.Contains(t, res.body, ">BL</text>")
	require.Equal(t, 404, r.get("/avatars/1.svg").status)
}

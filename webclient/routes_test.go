package webclient

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/static"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	for _, path := range []string{"/api/", "/api/v1", "/api/v1/session/", "/api/v2/session", "/api/v1/imports/a/b"} {
		a := alice.get(path)
		assert.Equal(t, http.StatusNotFound, a.status, path)
		assert.Equal(t, "not_found", a.code(), path)
	}
	for method, path := range map[string]string{
		"POST": "/api/v1/session", "DELETE": "/api/v1/consent", "PUT": "/api/v1/imports", "PATCH": "/api/v1/credentials", "GET": "/auth/logout",
	} {
		a := alice.do(method, path, "")
		assert.Equal(t, http.StatusMethodNotAllowed, a.status, path)
		assert.Equal(t, "method_not_allowed", a.code(), path)
		assert.NotEmpty(t, a.header.Get("Allow"), path)
	}
	assert.Equal(t, "GET, PUT, HEAD", alice.do("DELETE", "/api/v1/consent", "").header.Get("Allow"))
	assert.Equal(t, http.StatusNotFound, alice.get("/").status)
	assert.Equal(t, http.StatusNotFound, alice.get("/xmpp-websocket").status, "mounted elsewhere")
	assert.Equal(t, http.StatusMethodNotAllowed, alice.do("POST", "/panel", "").status)
}

func TestOnlyOurOwnPages(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	for _, site := range []string{"cross-site", "same-site"} {
		for _, request := range [][2]string{{"POST", "/auth/logout"}, {"POST", "/api/v1/credentials"}, {"GET", "/api/v1/credentials"},
			{"PUT", "/api/v1/consent"}, {"POST", "/api/v1/imports"}, {"GET", "/api/v1/session"}} {
			a := alice.do(request[0], request[1], "", "Sec-Fetch-Site", site)
			assert.Equal(t, http.StatusForbidden, a.status, request)
			assert.Equal(t, "cross_origin", a.code(), request)
		}
	}
	a := alice.do("POST", "/auth/logout", "", "Origin", "https://evil.example")
	assert.Equal(t, "cross_origin", a.code(), "browsers without fetch metadata")
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/session", "Sec-Fetch-Site", "same-origin").status)
	assert.Equal(t, http.StatusNoContent, alice.do("POST", "/auth/logout", "", "Origin", w.url, "Sec-Fetch-Site", "same-origin").status)
	assert.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
}

func TestPanelPage(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	a := w.user("alice").get("/panel")
	require.Equal(t, http.StatusOK, a.status)
	for _, want := range []string{
		`data-instance-origin="` + w.origin + `"`, `data-instance-name="Social Example"`, `data-chat-origin="` + w.url + `"`,
		`/assets/` + static.Manifest()["panel.js"], `/assets/` + static.Manifest()["panel.css"],
	} {
		assert.Contains(t, a.body, want)
	}
	csp := a.header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors " + w.origin,
		"connect-src 'self' ws://" + strings.TrimPrefix(w.url, "http://"),
		"img-src 'self' data: blob: " + w.origin + " https://media.example", "base-uri 'none'", "form-action 'none'",
	} {
		assert.Contains(t, strings.Split(csp, "; "), want, csp)
	}
	assert.NotContains(t, csp, "unsafe")
	assert.Empty(t, a.header.Get("X-Frame-Options"))
	assert.Empty(t, a.header.Get("Set-Cookie"))
	assert.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
}

func TestHeadersByKind(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	api := alice.get("/api/v1/session").header
	assert.Equal(t, "no-store", api.Get("Cache-Control"))
	assert.Equal(t, "DENY", api.Get("X-Frame-Options"))
	assert.Contains(t, api.Get("Content-Security-Policy"), "default-src 'none'")
	callback := alice.get("/auth/callback").header
	assert.Contains(t, callback.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	assert.Equal(t, "no-referrer", callback.Get("Referrer-Policy"))
	assert.Equal(t, "no-store", callback.Get("Cache-Control"))
	asset := alice.get("/assets/" + static.Manifest()["panel.js"])
	assert.Equal(t, http.StatusOK, asset.status)
	assert.Contains(t, asset.header.Get("Cache-Control"), "immutable")
	assert.Equal(t, http.StatusNotFound, alice.get("/assets/manifest.json").status)
}

func TestEmbed(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	a := alice.get("/trunkline/embed.js")
	require.Equal(t, http.StatusOK, a.status)
	assert.Contains(t, a.body, `"`+w.url+`"`)
	assert.Contains(t, a.header.Get("Content-Type"), "text/javascript")
	assert.Empty(t, a.header.Get("Set-Cookie"))
	assert.Contains(t, a.header.Get("Cache-Control"), "public")
	assert.NotContains(t, a.header.Get("Vary"), "Cookie")
	again := alice.get("/trunkline/embed.js", "If-None-Match", a.header.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, again.status)
	assert.Equal(t, http.StatusOK, alice.do("HEAD", "/trunkline/embed.js", "").status)
}

func TestConfig(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	for name, spoil := range map[string]func(*Config){
		"http in the open":     func(c *Config) { c.PublicURL = "http://chat.example.org" },
		"a path":               func(c *Config) { c.PublicURL = "https://example.org/chat" },
		"an instance path":     func(c *Config) { c.InstanceURL = "https://example.org/home" },
		"cross site on http":   func(c *Config) { c.CrossSite = true },
		"no data key":          func(c *Config) { c.DataKeys = nil },
		"a short data key":     func(c *Config) { c.DataKeys = [][]byte{make([]byte, 31)} },
		"no database":          func(c *Config) { c.DB = nil },
		"no issuer":            func(c *Config) { c.Issuer = nil },
		"no domain":            func(c *Config) { c.LocalDomain = "" },
		"a socket by http":     func(c *Config) { c.WebSocketURL = "https://chat.example.org/" },
		"a policy in an image": func(c *Config) { c.MediaOrigins = []string{"https://x.example; script-src *"} },
	} {
		cfg := w.cfg
		spoil(&cfg)
		_, err := New(cfg)
		require.Error(t, err, name)
		assert.True(t, strings.HasPrefix(err.Error(), "webclient: "), err)
	}
}

func FuzzReturnAddress(f *testing.F) {
	for _, seed := range []string{"https://social.example/", "https://social.example/@a?b#c", "//evil.example", "https://social.example@evil.example/",
		"https://social.example\\@evil.example/", "javascript:alert(1)", "https://SOCIAL.example", "https://social.example:443/", "https://social.example/\r\nX: y",
		"https:social.example", "https:///x", "https://social.example/%0d%0a", "https://social.example//evil.example"} {
		f.Add(seed)
	}
	instance := &url.URL{Scheme: "https", Host: "social.example"}
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := pageOf(instance, raw)
		if !ok {
			return
		}
		require.True(t, strings.HasPrefix(got, "https://social.example/"), "%q from %q", got, raw)
		require.False(t, strings.ContainsFunc(got, func(c rune) bool { return unicode.IsControl(c) || c == '\\' || c == ' ' }), "%q", got)
		require.NotContains(t, got, "#", "the fragment is ours")
		u, err := url.Parse(got)
		require.NoError(t, err)
		require.Equal(t, "social.example", u.Host)
		require.Nil(t, u.User)
		again, ok := pageOf(instance, got)
		require.True(t, ok)
		require.Equal(t, got, again)
	})
}

func FuzzCursor(f *testing.F) {
	// The fuzzer's workers are processes of their own: good must be the same in all.
	keys, err := newKeyring([][]byte{make([]byte, 32)}, zeros{})
	require.NoError(f, err)
	s := &Server{keys: keys}
	good, err := s.sealCursor("1", "max_id=5")
	require.NoError(f, err)
	for _, seed := range []string{"", good, good[1:], good + "\n", "x", "AAAA", strings.Repeat("A", 100)} {
		f.Add(seed, "1")
	}
	f.Fuzz(func(t *testing.T, cursor, account string) {
		next, err := s.openCursor(account, cursor)
		switch {
		case cursor == "":
			require.NoError(t, err)
			require.Empty(t, next)
		case cursor == good && account == "1":
			require.NoError(t, err)
		default:
			require.Error(t, err, "nobody else can make one")
		}
		if cursor == "" {
			return
		}
		sealed, err := s.sealCursor(account, cursor)
		require.NoError(t, err)
		back, err := s.openCursor(account, sealed)
		require.NoError(t, err)
		require.Equal(t, cursor, back)
		_, err = s.openCursor(account+"x", sealed)
		require.Error(t, err)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func FuzzImportBody(f *testing.F) {
	for _, seed := range []string{`{"key":"k","people":[{"id":"1","subscribe":true}]}`, `{"key":"k","people":[{"id":"1"},{"id":"1"}]}`, `{}`, `null`,
		`{"key":"\u0000","people":[]}`, `{"KEY":"k","People":[{"ID":"1"}]}`, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := parseImport(body)
		if err != nil {
			require.NotNil(t, asAPIError(err))
			require.Less(t, asAPIError(err).status, 500)
			return
		}
		require.True(t, plainID(req.Key))
		require.NotEmpty(t, req.People)
		require.LessOrEqual(t, len(req.People), maxImportPeople)
		seen := map[string]bool{}
		for _, p := range req.People {
			require.True(t, plainID(p.ID))
			require.False(t, seen[p.ID])
			seen[p.ID] = true
		}
	})
}

func FuzzLastEventID(f *testing.F) {
	for _, seed := range []string{"", "7", "-1", "9223372036854775808", "1e3", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		require.GreaterOrEqual(t, parseEventID(text), int64(0))
	})
}

func TestTransportSecurityOnlyWithHTTPS(t *testing.T) {
	for url, want := range map[string]string{
		"https://chat.social.example": "max-age=63072000",
		"http://127.0.0.1:8080":       "",
	} {
		s := &Server{cfg: Config{PublicURL: url}}
		for _, kind := range []pageKind{pagePanel, pageCallback, pageAPI, pageAsset, pageEmbed} {
			assert.Equal(t, want, s.policy(kind).Get("Strict-Transport-Security"), url)
		}
	}
}

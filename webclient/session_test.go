package webclient

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestSessionTokenIsHashedAndRenewed(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	first, login := alice.cookie("session"), alice.login()
	sum := sha256.Sum256([]byte(first))
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM browser_sessions WHERE token = $1`,
		base64.RawURLEncoding.EncodeToString(sum[:])))
	assert.Zero(t, w.count(`SELECT count(*) FROM browser_sessions WHERE token = $1`, first))

	require.Equal(t, "ok", alice.signIn().code)
	second := alice.cookie("session")
	assert.NotEqual(t, first, second)
	assert.Equal(t, login, alice.login(), "other tabs of the same person go on")
	thief := w.user("alice")
	thief.setCookie("session", first)
	assert.Equal(t, http.StatusUnauthorized, thief.get("/api/v1/session").status)
	assert.False(t, w.issuer.hasRevoked("session "+login))
}

// A session that somebody planted before the login is worth nothing after it.
func TestSessionFixation(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	alice.setCookie("session", "planted")
	require.Equal(t, "ok", alice.signIn().code)
	assert.NotEqual(t, "planted", alice.cookie("session"))
	thief := w.user("bob")
	thief.setCookie("session", "planted")
	assert.Equal(t, http.StatusUnauthorized, thief.get("/api/v1/session").status)
}

func TestSomebodyElseSignsInInTheSameBrowser(t *testing.T) {
	w := newWorld(t, mastodontest.Options{Mode: mastodontest.GoToSocial}, nil)
	alice := w.in("alice")
	login := alice.login()
	alice.b.User = "bob"
	require.Equal(t, "ok", alice.signIn().code)
	w.eventually("the first person's login ends", func() bool { return w.issuer.hasRevoked("session " + login) })
	var session sessionJSON
	alice.get("/api/v1/session").json(t, &session)
	assert.Equal(t, "bob", session.Account.Username)
}

func TestIdleLifetime(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.SessionIdle, c.SessionAbsolute = time.Hour, 24*time.Hour })
	alice := w.in("alice")
	login := alice.login()
	for range 5 {
		w.clock.advance(50 * time.Minute)
		require.Equal(t, http.StatusOK, alice.get("/api/v1/session").status, "activity prolongs it")
	}
	w.clock.advance(61 * time.Minute)
	w.eventually("credentials of an expired login are revoked", func() bool { return w.issuer.hasRevoked("session " + login) })
	assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
	w.eventually("its Mastodon token is given back", func() bool { return w.instance.Counters().TokensLive == 0 })
}

func TestAbsoluteLifetime(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.SessionIdle, c.SessionAbsolute = time.Hour, 2*time.Hour })
	alice := w.in("alice")
	login := alice.login()
	for range 2 {
		w.clock.advance(50 * time.Minute)
		require.Equal(t, http.StatusOK, alice.get("/api/v1/session").status)
	}
	w.clock.advance(25 * time.Minute)
	assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status, "activity does not prolong this")
	w.eventually("revoked", func() bool { return w.issuer.hasRevoked("session " + login) })
}

func TestLogout(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.in("alice")
		login, token := alice.login(), alice.cookie("session")
		a := alice.do("POST", "/auth/logout", "")
		require.Equal(t, http.StatusNoContent, a.status)
		assert.Contains(t, a.header.Get("Set-Cookie"), "Max-Age=0")
		assert.True(t, w.issuer.hasRevoked("session "+login), "before the answer")
		assert.Empty(t, alice.cookie("session"))
		alice.setCookie("session", token)
		assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
		assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/credentials").status)
		w.eventually("the Mastodon token is revoked", func() bool { return w.instance.Counters().TokensLive == 0 })
		w.eventually("and forgotten", func() bool {
			return w.count(`SELECT count(*) FROM accounts WHERE mastodon_token IS NOT NULL`) == 0
		})
		assert.Equal(t, "ok", alice.signIn().code)
		assert.Equal(t, http.StatusNoContent, w.user("bob").do("POST", "/auth/logout", "").status, "signed out already")
	})
}

// Mastodon gives every browser of one person the same token (reuse_access_token).
func TestLogoutLeavesTheOtherBrowserIn(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		one, two := w.in("alice"), w.in("alice")
		live := w.instance.Counters().TokensLive
		assert.Equal(t, 1, live, "a token that another took the place of is revoked")
		first, second := one.login(), two.login()
		require.Equal(t, http.StatusNoContent, one.do("POST", "/auth/logout", "").status)
		assert.False(t, w.issuer.hasRevoked("session "+second))
		assert.True(t, w.issuer.hasRevoked("session "+first))
		w.eventually("the first login has ended", func() bool {
			return w.count(`SELECT count(*) FROM logins WHERE id = $1 AND ended_at IS NOT NULL`, first) == 1
		})
		assert.Equal(t, live, w.instance.Counters().TokensLive)
		assert.Equal(t, http.StatusOK, two.get("/api/v1/session").status)
		assert.Equal(t, http.StatusOK, two.get("/api/v1/follows").status, "the token still works")
		two.do("POST", "/auth/logout", "")
		w.eventually("the last one revokes it", func() bool { return w.instance.Counters().TokensLive == 0 })
	})
}

func TestTokenIsRevokedLaterWhenMastodonIsDown(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	w.instance.SetDown(mastodontest.Down503)
	require.Equal(t, http.StatusNoContent, alice.do("POST", "/auth/logout", "").status)
	w.eventually("tried", func() bool { return strings.Contains(w.log.String(), "revoking a Mastodon token failed") })
	w.instance.SetDown(mastodontest.DownNo)
	require.Equal(t, 1, w.instance.Counters().TokensLive)
	w.clock.advance(2 * time.Minute)
	w.eventually("revoked", func() bool { return w.instance.Counters().TokensLive == 0 })
}

func TestRevocationThatFailsIsTriedAgain(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	login := alice.login()
	w.issuer.set(errors.New("tokens: the database is busy"))
	require.Equal(t, http.StatusNoContent, alice.do("POST", "/auth/logout", "").status)
	assert.Zero(t, w.count(`SELECT count(*) FROM logins WHERE ended_at IS NOT NULL`))
	w.issuer.set(nil)
	w.eventually("tried again", func() bool { return w.issuer.hasRevoked("session " + login) })
}

// scs marks every session as changed when it has an idle timeout and writes it back
// when the handler returns. A handler that lasts must not bring back a session that
// was ended meanwhile.
func TestLogoutDuringEventsStaysLoggedOut(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	alice.get("/api/v1/follows")
	w.importer.change(func() { w.importer.down = true }) // the import lasts
	id := startImport(t, alice, "k", alice.pick("bob"))
	token := alice.cookie("session")

	r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/api/v1/imports/"+id+"/events", nil)
	require.NoError(t, err)
	events, err := alice.b.Client().Do(r)
	require.NoError(t, err)
	defer events.Body.Close()
	lines := bufio.NewScanner(events.Body)
	require.True(t, lines.Scan(), "the stream is open")

	require.Equal(t, http.StatusNoContent, alice.do("POST", "/auth/logout", "").status)
	for lines.Scan() { // the server ends the stream
	}
	require.NoError(t, lines.Err())
	alice.setCookie("session", token)
	assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
	assert.Zero(t, w.count(`SELECT count(*) FROM browser_sessions`))
	assert.Zero(t, w.count(`SELECT count(*) FROM logins WHERE ended_at IS NULL`))
}

func TestCookies(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	pending := alice.get("/auth/login?mode=popup").header.Get("Set-Cookie")
	for _, want := range []string{"trunkline_login=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} {
		assert.Contains(t, pending, want)
	}
	session := alice.get(alice.callback("mode=popup")).header.Get("Set-Cookie")
	for _, want := range []string{"trunkline_session=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="} {
		assert.Contains(t, session, want)
	}
	assert.NotContains(t, session, "Secure", "browsers would not send it to loopback http")
	assert.NotContains(t, session, "Domain")
}

func TestSecureCookies(t *testing.T) {
	for name, want := range map[string]struct {
		crossSite bool
		has, not  []string
	}{
		"same site":  {false, []string{"SameSite=Lax", "Secure"}, []string{"Partitioned"}},
		"cross site": {true, []string{"SameSite=None", "Secure", "Partitioned"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			cfg := w.cfg
			cfg.PublicURL, cfg.CrossSite = "https://chat.example.net", want.crossSite
			s, err := New(cfg)
			require.NoError(t, err)
			rec := httptest.NewRecorder()
			r := httptest.NewRequest("POST", "/auth/handoff", nil)
			ctx, _, err := s.sessions.load(r)
			require.NoError(t, err)
			require.NoError(t, s.sessions.begin(ctx, rec, "id"))
			cookie := rec.Header().Get("Set-Cookie")
			assert.True(t, strings.HasPrefix(cookie, "__Host-trunkline_session="), cookie)
			for _, part := range append(want.has, "HttpOnly", "Path=/") {
				assert.Contains(t, cookie, part)
			}
			for _, part := range append(want.not, "Domain") {
				assert.NotContains(t, cookie, part)
			}
		})
	}
}

// The panel of another site takes its login over by a one-time code.
func TestHandoff(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	assert.Equal(t, http.StatusNotFound, w.user("alice").do("POST", "/auth/handoff", `{"code":"x"}`).status)
	w.s.cfg.CrossSite = true // with https in reality; here without its cookies

	window, frame := w.user("alice"), w.user("alice") // two partitions
	got := window.signIn()
	require.Equal(t, "ok", got.code)
	require.NotEmpty(t, got.handoff)
	assert.Equal(t, http.StatusUnauthorized, window.get("/api/v1/session").status, "only the panel is signed in")
	body := `{"code":"` + got.handoff + `"}`
	assert.Equal(t, "cross_origin", frame.do("POST", "/auth/handoff", body, "Sec-Fetch-Site", "cross-site").code())
	require.Equal(t, http.StatusNoContent, frame.do("POST", "/auth/handoff", body).status)
	assert.Equal(t, http.StatusOK, frame.get("/api/v1/session").status)
	assert.Equal(t, "handoff_invalid", w.user("bob").do("POST", "/auth/handoff", body).code(), "once")

	late := window.signIn()
	w.clock.advance(2 * time.Minute)
	assert.Equal(t, "handoff_invalid", frame.do("POST", "/auth/handoff", `{"code":"`+late.handoff+`"}`).code())
	a := window.get("/auth/login?mode=redirect")
	assert.Equal(t, w.origin+"/#trunkline-error=popup_needed", a.header.Get("Location"))
}

func TestSessionCodec(t *testing.T) {
	var codec scs.Codec = sessionCodec{}
	at := time.UnixMilli(1_900_000_000_123).UTC()
	raw, err := codec.Encode(at, map[string]any{"login": "x"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"deadline":1900000000123,"values":{"login":"x"}}`, string(raw))
	deadline, values, err := codec.Decode(raw)
	require.NoError(t, err)
	assert.Equal(t, at, deadline)
	assert.Equal(t, map[string]any{"login": "x"}, values)
	_, err = codec.Encode(at, map[string]any{"n": 1})
	require.Error(t, err)
	_, _, err = codec.Decode([]byte("\x03gob"))
	require.Error(t, err)
}

func TestSealing(t *testing.T) {
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	rand := cfgRand()
	before, err := newKeyring([][]byte{old}, rand)
	require.NoError(t, err)
	sealed, err := before.seal("a", []byte("secret"))
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), "secret")

	after, err := newKeyring([][]byte{fresh, old}, rand)
	require.NoError(t, err)
	plain, first, err := after.open("a", sealed)
	require.NoError(t, err)
	assert.Equal(t, "secret", string(plain))
	assert.False(t, first)
	_, _, err = after.open("b", sealed)
	require.ErrorIs(t, err, errSealed, "another row's")

	gone, err := newKeyring([][]byte{fresh}, rand)
	require.NoError(t, err)
	_, _, err = gone.open("a", sealed)
	require.ErrorIs(t, err, errDataKey)
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		_, _, err := after.open("a", bad)
		require.Error(t, err, "byte %d", i)
		_, _, err = after.open("a", sealed[:i])
		require.Error(t, err, "cut at %d", i)
	}
	_, err = newKeyring([][]byte{fresh[:16]}, rand)
	require.Error(t, err)
	_, err = newKeyring(nil, rand)
	require.Error(t, err)
}

func TestKeyRotation(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	old := w.cfg.DataKeys[0]
	fresh := bytes.Repeat([]byte{9}, 32)
	w.stop()
	w.cfg.DataKeys = [][]byte{fresh, old}
	w.boot()
	w.eventually("resealed", func() bool { return strings.Contains(w.log.String(), "sealed under the first data key now") })
	w.stop()
	w.cfg.DataKeys = [][]byte{fresh}
	w.boot()
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/follows").status)
	w.stop()
	w.cfg.DataKeys = [][]byte{bytes.Repeat([]byte{7}, 32)}
	w.boot()
	assert.Equal(t, "login_again", alice.get("/api/v1/follows").code(), "a lost key costs a login")
	assert.Equal(t, "ok", alice.signIn().code)
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/follows").status)
}

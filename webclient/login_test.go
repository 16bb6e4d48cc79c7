package webclient

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestPopupLogin(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.user("alice")
		require.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)

		a := alice.get(alice.callback("mode=popup"))
		got := popup(t, a)
		assert.Equal(t, result{code: "ok", chat: w.url}, got)
		assert.Contains(t, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		assert.Empty(t, a.header.Get("Cross-Origin-Opener-Policy"))

		var session sessionJSON
		a = alice.get("/api/v1/session")
		require.Equal(t, http.StatusOK, a.status)
		a.json(t, &session)
		assert.Equal(t, w.instance.AccountID("alice"), session.Account.ID)
		assert.Equal(t, "alice", session.Account.Acct)
		assert.Equal(t, "Alice Moreau", session.Account.DisplayName)
		assert.NotEmpty(t, session.Account.Avatar)
		assert.NotEmpty(t, session.Account.URL)
		assert.Equal(t, "alice@social.example", session.JID)
		assert.Equal(t, instanceJSON{Name: "Social Example", Origin: w.origin, Domain: "social.example"}, session.Instance)
		assert.Equal(t, consentJSON{Presence: "nobody"}, session.Consent)
		assert.Equal(t, w.cfg.WebSocketURL+"?consent=walk", session.WebSocketURL)
		assert.Nil(t, session.ActiveImport)
	})
}

func TestRedirectLogin(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		bob := w.user("bob")
		page := w.origin + "/@alice/109?x=1"
		to := bob.callback("mode=redirect&return=" + url.QueryEscape(page+"#old"))
		a := bob.get(to)
		require.Equal(t, http.StatusSeeOther, a.status)
		assert.Equal(t, page+"#trunkline", a.header.Get("Location"))
		assert.Equal(t, http.StatusOK, bob.get("/api/v1/session").status)

		again := bob.get(to)
		assert.Equal(t, page+"#trunkline-error=used", again.header.Get("Location"))
		assert.Equal(t, http.StatusOK, bob.get("/api/v1/session").status, "a replay must not sign anybody out")
	})
}

func TestRedirectNeverLeavesTheInstance(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	bob := w.user("bob")
	a := bob.get(bob.callback("mode=redirect&return=" + url.QueryEscape("https://evil.example/")))
	assert.Equal(t, w.origin+"/#trunkline", a.header.Get("Location"))
}

func TestDenied(t *testing.T) {
	for _, mode := range modes[:2] { // GoToSocial has no such button
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{Mode: mode}, nil)
			alice := w.user("alice")
			alice.b.Deny = true
			got := alice.signIn()
			assert.Equal(t, "denied", got.code)
			assert.Contains(t, got.message, "did not allow")
			alice.b.Deny = false
			assert.Equal(t, "ok", alice.signIn().code)
		})
	}
}

func TestReplayExpiryAndStrangers(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, mallory := w.user("alice"), w.user("bob")
		to := alice.callback("mode=popup")

		got := popup(t, mallory.get(to))
		assert.Equal(t, "state_mismatch", got.code)
		assert.Equal(t, "ok", popup(t, alice.get(to)).code, "a stranger must not spoil the login")
		assert.Equal(t, "used", popup(t, alice.get(to)).code)
		assert.Equal(t, "state_mismatch", popup(t, mallory.get(to)).code)
		assert.Equal(t, http.StatusUnauthorized, mallory.get("/api/v1/session").status)

		assert.Equal(t, "state_mismatch", popup(t, alice.get("/auth/callback?code=x")).code)
		assert.Equal(t, "state_mismatch", popup(t, alice.get("/auth/callback?code=x&state=made-up")).code)

		late := alice.callback("mode=popup")
		w.clock.advance(10*time.Minute + time.Second)
		assert.Equal(t, "expired", popup(t, alice.get(late)).code)
	})
}

func TestSeveralPendingLogins(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	first, second := alice.authorizeURL("mode=popup"), alice.authorizeURL("mode=redirect")
	assert.NotEqual(t, first, second)
	to2, err := alice.b.Authorize(t.Context(), second)
	require.NoError(t, err)
	to1, err := alice.b.Authorize(t.Context(), first)
	require.NoError(t, err)
	assert.Equal(t, "ok", popup(t, alice.get(to1)).code)
	assert.Equal(t, w.origin+"/#trunkline", alice.get(to2).header.Get("Location"))
}

// GoToSocial answers a login that was abandoned and started again with the first
// one's state.
func TestAbandonedLogin(t *testing.T) {
	w := newWorld(t, mastodontest.Options{Mode: mastodontest.GoToSocial}, nil)
	alice := w.user("alice")
	alice.b.Stop = true
	_, err := alice.b.Authorize(t.Context(), alice.authorizeURL("mode=popup"))
	require.ErrorIs(t, err, mastodontest.ErrStopped)
	alice.b.Stop = false
	assert.Equal(t, "ok", alice.signIn().code)
}

func TestAccountsThatMayNotIn(t *testing.T) {
	for state, code := range map[mastodontest.State]string{
		mastodontest.Suspended: "account_suspended", mastodontest.Disabled: "account_disabled",
		mastodontest.Moved: "account_moved", mastodontest.Unconfirmed: "account_unconfirmed",
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			alice := w.user("alice")
			to := alice.callback("mode=popup") // Mastodon asks nobody to allow anything who may not in
			w.instance.SetState("alice", state)
			got := popup(t, alice.get(to))
			if got.code != code {
				// To their own token Mastodon says the same of disabled, suspended and moved people.
				assert.NotEqual(t, mastodontest.Unconfirmed, state)
				assert.Equal(t, "account_disabled", got.code)
			}
			assert.NotEmpty(t, got.message)
			assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
			assert.Zero(t, w.instance.Counters().TokensLive, "the token of somebody refused is given back")
			w.instance.SetState("alice", mastodontest.Active)
			assert.Equal(t, "ok", alice.signIn().code)
		})
	}
}

func TestMastodonOutOfOrder(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := hastyWorld(t, mastodontest.Options{Mode: mode}, nil)
			alice := w.user("alice")
			for down, code := range map[mastodontest.Down]string{
				mastodontest.Down503: "mastodon_down", mastodontest.DownHTML: "mastodon_invalid", mastodontest.DownHang: "mastodon_down",
			} {
				to := alice.callback("mode=popup")
				w.instance.SetDown(down)
				got := popup(t, alice.get(to))
				w.instance.SetDown(mastodontest.DownNo)
				assert.Equal(t, code, got.code, down)
				assert.NotEmpty(t, got.message)
			}
			to := alice.callback("mode=popup")
			w.instance.RateLimitNext(1)
			assert.Equal(t, "mastodon_busy", popup(t, alice.get(to)).code)
			assert.Equal(t, "ok", alice.signIn().code)
		})
	}
}

func TestMastodonDownAtTheFirstLogin(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	w.instance.SetDown(mastodontest.Down503)
	assert.Equal(t, "mastodon_down", popup(t, alice.get("/auth/login?mode=popup")).code)
	a := alice.get("/auth/login?mode=redirect&return=" + url.QueryEscape(w.origin+"/home"))
	assert.Equal(t, w.origin+"/home#trunkline-error=mastodon_down", a.header.Get("Location"))
	w.instance.SetDown(mastodontest.DownNo)
	assert.Equal(t, "ok", alice.signIn().code)
}

func TestTooManyLoginsAtOnce(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.s.logins.all = rate.NewLimiter(0, 1)
	alice := w.user("alice")
	alice.authorizeURL("mode=popup")
	assert.Equal(t, "mastodon_busy", popup(t, alice.get("/auth/login?mode=popup")).code)
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM pending_logins`))
}

func TestEveryCodeHasASentence(t *testing.T) {
	seen := map[string]string{}
	for _, code := range []string{codeDenied, codeExpired, codeUsed, codeMismatch, codeDisabled, codeSuspended, codeMoved,
		codeUnconfirmed, codeDeleted, codeBlocked, codeDown, codeInvalid, codeBusy, codeNameTaken, codePopup, codeInternal} {
		message := loginOutcomes[code].message
		require.NotEmpty(t, message, code)
		assert.Equal(t, byte('.'), message[len(message)-1], code)
		assert.Empty(t, seen[message], "the same sentence for two codes")
		seen[message] = code
	}
	assert.Len(t, loginOutcomes, len(seen))
}

func TestAppIsRegisteredOnce(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	var all sync.WaitGroup
	for range 8 {
		u := w.user("alice")
		all.Go(func() { u.get("/auth/login?mode=popup") })
	}
	all.Wait()
	assert.Equal(t, 1, w.instance.Counters().AppsRegistered)
	assert.Equal(t, 8, w.count(`SELECT count(*) FROM pending_logins`))
	w.stop()
	w.boot()
	assert.Equal(t, "ok", w.user("alice").signIn().code)
	assert.Equal(t, 1, w.instance.Counters().AppsRegistered)

	var secret []byte
	require.NoError(t, w.db.QueryRow(`SELECT client_secret FROM mastodon_apps`).Scan(&secret))
	app, err := w.s.storedApp(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, string(secret), string(app.Secret))
}

func TestAppThatTheInstanceForgot(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	to := alice.callback("mode=popup")
	w.instance.ForgetApps()
	assert.Equal(t, "mastodon_invalid", popup(t, alice.get(to)).code)
	assert.Contains(t, w.log.String(), "does not accept our app registration")
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM mastodon_apps`), "a young registration is not thrown away")

	w.clock.advance(2 * time.Hour)
	alice = w.user("alice")
	state := mustQuery(t, alice.authorizeURL("mode=popup")).Get("state")
	assert.Equal(t, "mastodon_invalid", popup(t, alice.get("/auth/callback?code=x&state="+state)).code)
	assert.Equal(t, "ok", alice.signIn().code, "the next login registers anew")
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM mastodon_apps`))
}

func mustQuery(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Query()
}

func TestAuthorizeURL(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.user("alice")
	q := mustQuery(t, alice.authorizeURL("mode=popup"))
	assert.Equal(t, "S256", q.Get("code_challenge_method"))
	assert.Equal(t, w.url+"/auth/callback", q.Get("redirect_uri"))
	assert.Len(t, q.Get("state"), 43)
	again := mustQuery(t, alice.authorizeURL("mode=popup"))
	assert.NotEqual(t, q.Get("code_challenge"), again.Get("code_challenge"))
	assert.Equal(t, "no-store", alice.get("/auth/login").header.Get("Cache-Control"))
	var verifier string
	require.NoError(t, w.db.QueryRow(`SELECT verifier FROM pending_logins LIMIT 1`).Scan(&verifier))
	assert.Greater(t, len(verifier), 60, "sealed")
}

func TestNameTakenAndRebind(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	first := w.in("alice")
	old := w.instance.AccountID("alice")
	first.do("PUT", "/api/v1/consent", `{"presence":"contacts","typing":true,"receipts":true,"text_version":1}`)
	fresh := w.instance.RenewID("alice")
	live := w.instance.Counters().TokensLive

	second := w.user("alice")
	got := second.signIn()
	assert.Equal(t, "name_taken", got.code)
	assert.Contains(t, w.log.String(), "trunkline account rebind alice "+fresh)
	assert.Equal(t, live, w.instance.Counters().TokensLive, "the refused login's token is given back")
	assert.Equal(t, http.StatusOK, first.get("/api/v1/session").status)

	require.Error(t, w.s.Rebind(t.Context(), "nobody", fresh))
	require.Error(t, w.s.Rebind(t.Context(), "alice", old))
	require.NoError(t, w.s.Rebind(t.Context(), "Alice", fresh))
	assert.True(t, w.issuer.hasRevoked("account "+old))
	assert.Equal(t, http.StatusUnauthorized, first.get("/api/v1/session").status)
	assert.Equal(t, "ok", second.signIn().code)
	var session sessionJSON
	second.get("/api/v1/session").json(t, &session)
	assert.Equal(t, fresh, session.Account.ID)
	assert.False(t, session.Consent.Decided, "consent is not handed over")
}

func TestLogsHoldNoSecrets(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.user("alice")
		to := alice.callback("mode=popup")
		q := mustQuery(t, to)
		popup(t, alice.get(to))
		popup(t, alice.get(to))
		popup(t, w.user("bob").get(to))
		alice.get("/api/v1/credentials")
		token, err := w.s.token(t.Context(), w.instance.AccountID("alice"))
		require.NoError(t, err)
		var stored []byte
		require.NoError(t, w.db.QueryRow(`SELECT mastodon_token FROM accounts`).Scan(&stored))
		assert.NotContains(t, string(stored), string(token))
		session := alice.cookie("session")
		alice.do("POST", "/auth/logout", "")
		app, err := w.s.storedApp(t.Context())
		require.NoError(t, err)
		log := w.log.String()
		require.NotEmpty(t, log)
		for what, secret := range map[string]string{"code": q.Get("code"), "state": q.Get("state"), "token": string(token),
			"client secret": string(app.Secret), "password": "tlt_secret", "session": session,
			"browser": alice.cookie("login")} {
			require.NotEmpty(t, secret, what)
			assert.False(t, strings.Contains(log, secret), "the %s is in the log", what)
		}
	})
}

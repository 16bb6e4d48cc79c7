package mastodon_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const callback = "http://chat.example/auth/callback"

var modes = []mastodontest.Mode{mastodontest.V46, mastodontest.V43, mastodontest.GoToSocial}

// rig is a stand-in, a client of it, and what a login needs.
type rig struct {
	t      *testing.T
	server *mastodontest.Server
	client *mastodon.Client
	origin string
	app    mastodon.App
}

func newRig(t *testing.T, o mastodontest.Options, cfg mastodon.Config) *rig {
	t.Helper()
	s := mastodontest.New(o)
	origin, stop, err := s.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	cfg.BaseURL = origin
	c, err := mastodon.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdle)
	return &rig{t: t, server: s, client: c, origin: origin}
}

func (r *rig) register() mastodon.App {
	r.t.Helper()
	app, err := r.client.Register(r.t.Context(), "Trunkline", callback, "http://chat.example")
	require.NoError(r.t, err)
	r.app = app
	return app
}

// callback goes through the pages and returns what arrives at the callback.
func (r *rig) callback(b *mastodontest.Browser, state, verifier string) url.Values {
	r.t.Helper()
	to, err := r.client.AuthURL(r.t.Context(), r.app, state, verifier)
	require.NoError(r.t, err)
	back, err := b.Authorize(r.t.Context(), to)
	require.NoError(r.t, err)
	u, err := url.Parse(back)
	require.NoError(r.t, err)
	require.Equal(r.t, callback, u.Scheme+"://"+u.Host+u.Path)
	require.Equal(r.t, state, u.Query().Get("state"))
	return u.Query()
}

// login is a whole login of user in a fresh browser.
func (r *rig) login(user string) mastodon.Token {
	r.t.Helper()
	if r.app.ID == "" {
		r.register()
	}
	verifier := oauth2.GenerateVerifier()
	q := r.callback(mastodontest.NewBrowser(user), "state-"+user, verifier)
	tok, err := r.client.Exchange(r.t.Context(), r.app, q.Get("code"), verifier)
	require.NoError(r.t, err)
	return tok
}

// eachMode runs a test against each kind of server.
func eachMode(t *testing.T, f func(t *testing.T, r *rig)) {
	for _, m := range modes {
		t.Run(string(m), func(t *testing.T) { f(t, newRig(t, mastodontest.Options{Mode: m}, mastodon.Config{})) })
	}
}

func TestLogin(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("alice")
		require.Equal(t, []string{"read:accounts", "read:follows"}, tok.Scopes)
		a, err := r.client.VerifyCredentials(t.Context(), tok.Access)
		require.NoError(t, err)
		require.Equal(t, r.server.AccountID("alice"), a.ID)
		require.Equal(t, "alice", a.Username)
		require.Equal(t, "alice", a.Acct)
		require.True(t, a.Local())
		require.Equal(t, "Alice Moreau", a.DisplayName)
		require.Equal(t, r.origin+"/avatars/"+a.ID+".svg", a.Avatar)
		require.Equal(t, r.origin+"/@alice", a.URL)
		require.Equal(t, "Web", a.Fields[0].Name)
	})
}

func TestDiscover(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		ep, err := r.client.Discover(t.Context())
		require.NoError(t, err)
		require.Equal(t, r.origin+"/oauth/authorize", ep.Authorization)
		require.Equal(t, r.origin+"/oauth/token", ep.Token)
		require.Equal(t, r.origin+"/oauth/revoke", ep.Revocation)
		require.Equal(t, r.origin+"/api/v1/apps", ep.Registration)
		require.Equal(t, len(ep.Scopes) > 0, ep.Metadata)
	})
}

func TestDiscoveryIsKeptForAnHour(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	r := newRig(t, mastodontest.Options{}, mastodon.Config{Now: func() time.Time { return now }})
	_, err := r.client.Discover(t.Context())
	require.NoError(t, err)
	r.server.SetDown(mastodontest.Down503)
	now = now.Add(59 * time.Minute)
	_, err = r.client.Discover(t.Context())
	require.NoError(t, err)
	now = now.Add(2 * time.Minute)
	_, err = r.client.Discover(t.Context())
	require.ErrorIs(t, err, mastodon.ErrDown)
}

func TestRegistrationAsksForAllScopesOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		want := []string{"profile", "read:accounts", "read:follows", "read:blocks", "read:mutes", "write:reports"}
		if ep, err := r.client.Discover(t.Context()); err != nil || !ep.Metadata {
			want = want[1:] // profile only where the instance says that it knows it
		}
		app := r.register()
		require.Equal(t, want, app.Scopes)
		require.Equal(t, callback, app.RedirectURI)
		require.NotEmpty(t, app.ID)
		require.NotEmpty(t, string(app.Secret))
	})
}

func TestDenied(t *testing.T) {
	r := newRig(t, mastodontest.Options{}, mastodon.Config{})
	r.register()
	b := mastodontest.NewBrowser("alice")
	b.Deny = true
	q := r.callback(b, "s1", oauth2.GenerateVerifier())
	require.Equal(t, "access_denied", q.Get("error"))
	require.Empty(t, q.Get("code"))
	require.Equal(t, 1, r.server.Counters().Denied)
}

func TestSecondLoginIsSilentWhereTheServerAllowsIt(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		r.register()
		b := mastodontest.NewBrowser("alice")
		var toks []mastodon.Token
		for _, state := range []string{"one", "two"} {
			verifier := oauth2.GenerateVerifier()
			q := r.callback(b, state, verifier)
			tok, err := r.client.Exchange(t.Context(), r.app, q.Get("code"), verifier)
			require.NoError(t, err)
			toks = append(toks, tok)
		}
		mastodonLike := r.server.Counters().SignIns == 1
		require.Equal(t, mastodonLike, len(b.Pressed) == 0)
		require.Equal(t, mastodonLike, toks[0].Access == toks[1].Access, "reuse_access_token")
	})
}

func TestCodeIsGoodOnceAndForTenMinutes(t *testing.T) {
	for _, m := range modes {
		t.Run(string(m), func(t *testing.T) {
			now := time.Now()
			r := newRig(t, mastodontest.Options{Mode: m, Now: func() time.Time { return now }}, mastodon.Config{})
			r.register()
			verifier := oauth2.GenerateVerifier()
			exchange := func(code, verifier string) error {
				_, err := r.client.Exchange(t.Context(), r.app, code, verifier)
				return err
			}
			code := r.callback(mastodontest.NewBrowser("bob"), "a", verifier).Get("code")
			require.NoError(t, exchange(code, verifier))
			require.ErrorIs(t, exchange(code, verifier), mastodon.ErrInvalidGrant)
			require.ErrorIs(t, exchange("made-up", verifier), mastodon.ErrInvalidGrant)

			code = r.callback(mastodontest.NewBrowser("bob"), "b", verifier).Get("code")
			now = now.Add(10 * time.Minute)
			require.ErrorIs(t, exchange(code, verifier), mastodon.ErrInvalidGrant)
		})
	}
}

func TestWrongVerifier(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		r.register()
		code := r.callback(mastodontest.NewBrowser("carol"), "a", oauth2.GenerateVerifier()).Get("code")
		_, err := r.client.Exchange(t.Context(), r.app, code, oauth2.GenerateVerifier())
		if r.app.Scopes[0] != "profile" { // GoToSocial ignores PKCE
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, mastodon.ErrInvalidGrant)
	})
}

func TestUnknownApp(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		r.register()
		verifier := oauth2.GenerateVerifier()
		code := r.callback(mastodontest.NewBrowser("carol"), "a", verifier).Get("code")
		app := r.app
		app.Secret = "wrong"
		_, err := r.client.Exchange(t.Context(), app, code, verifier)
		require.ErrorIs(t, err, mastodon.ErrBadClient)
		r.server.ForgetApps()
		_, err = r.client.Exchange(t.Context(), r.app, code, verifier)
		require.ErrorIs(t, err, mastodon.ErrBadClient)
	})
}

func TestRevoke(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("alice")
		require.NoError(t, r.client.Revoke(t.Context(), r.app, tok.Access))
		require.NoError(t, r.client.Revoke(t.Context(), r.app, tok.Access), "again")
		require.Equal(t, 1, r.server.Counters().TokensRevoked)
		require.Equal(t, 0, r.server.Counters().TokensLive)
		_, err := r.client.VerifyCredentials(t.Context(), tok.Access)
		require.ErrorIs(t, err, mastodon.ErrTokenInvalid)

		app := r.app
		app.Secret = "wrong"
		err = r.client.Revoke(t.Context(), app, r.login("bob").Access)
		require.ErrorIs(t, err, mastodon.ErrBadClient)
		require.Equal(t, 1, r.server.Counters().TokensRevoked)
	})
}

func TestCancelledCallSaysSo(t *testing.T) {
	r := newRig(t, mastodontest.Options{}, mastodon.Config{})
	r.server.SetDown(mastodontest.DownHang)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.client.Discover(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, mastodon.ErrDown)

	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = r.client.Discover(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, mastodon.ErrDown)
}

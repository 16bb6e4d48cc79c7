package mastodon_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestAccountStates(t *testing.T) {
	type outcome struct{ verify, explained error }
	disabled := outcome{mastodon.ErrAccountDisabled, mastodon.ErrAccountDisabled}
	rows := map[mastodontest.State]outcome{
		mastodontest.Active:      {},
		mastodontest.Disabled:    disabled,
		mastodontest.Suspended:   {mastodon.ErrAccountDisabled, mastodon.ErrAccountSuspended},
		mastodontest.Moved:       {mastodon.ErrAccountDisabled, mastodon.ErrAccountMoved},
		mastodontest.Unconfirmed: {mastodon.ErrUnconfirmed, mastodon.ErrUnconfirmed},
		mastodontest.Pending:     {mastodon.ErrUnconfirmed, mastodon.ErrUnconfirmed},
	}
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("alice")
		id := r.server.AccountID("alice")
		gts := r.app.Scopes[0] != "profile"
		for state, want := range rows {
			r.server.SetState("alice", state)
			_, err := r.client.VerifyCredentials(t.Context(), tok.Access)
			explained := r.client.Explain(t.Context(), err, id)
			switch {
			case want.verify == nil:
				require.NoError(t, err)
				continue
			case gts && state == mastodontest.Moved:
				want = outcome{mastodon.ErrAccountMoved, mastodon.ErrAccountMoved}
			case gts:
				want = outcome{mastodon.ErrTokenInvalid, mastodon.ErrTokenInvalid}
			}
			require.ErrorIs(t, err, want.verify, "%s", state)
			require.ErrorIs(t, explained, want.explained, "%s", state)
			if !gts && state == mastodontest.Disabled { // a frozen login still reads its follows
				_, err := r.client.Following(t.Context(), tok.Access, id, "")
				require.NoError(t, err)
			}
		}
		r.server.SetState("alice", mastodontest.Active)
		r.server.RevokeTokens("alice")
		_, err := r.client.VerifyCredentials(t.Context(), tok.Access)
		require.ErrorIs(t, err, mastodon.ErrTokenInvalid)
	})
}

func TestDown(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("alice")
		verify := func() error {
			_, err := r.client.VerifyCredentials(t.Context(), tok.Access)
			return err
		}
		r.server.SetDown(mastodontest.DownHTML)
		require.ErrorIs(t, verify(), mastodon.ErrNotMastodon)
		r.server.SetDown(mastodontest.Down503)
		require.ErrorIs(t, verify(), mastodon.ErrDown)
		r.server.SetDown(mastodontest.DownNo)
		require.NoError(t, verify())
	})
}

func TestHangingInstanceTimesOut(t *testing.T) {
	r := newRig(t, mastodontest.Options{}, mastodon.Config{HTTP: &http.Client{Timeout: 50 * time.Millisecond}})
	r.server.SetDown(mastodontest.DownHang)
	_, err := r.client.Instance(t.Context())
	require.ErrorIs(t, err, mastodon.ErrDown)
	require.Contains(t, err.Error(), "no answer in time")
}

func TestNobodyListens(t *testing.T) {
	c, err := mastodon.New(mastodon.Config{BaseURL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	_, err = c.Instance(t.Context())
	require.ErrorIs(t, err, mastodon.ErrDown)
}

// A 429 must come back at once: go-mastodon alone would wait up to an hour.
func TestRateLimited(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("alice")
		r.server.RateLimitNext(1)
		_, err := r.client.VerifyCredentials(t.Context(), tok.Access)
		require.ErrorIs(t, err, mastodon.ErrRateLimited)
		var limited interface{ RetryAfter() time.Duration }
		require.ErrorAs(t, err, &limited)
		require.Positive(t, limited.RetryAfter())
		require.LessOrEqual(t, limited.RetryAfter(), 3*time.Second)
		require.Equal(t, 1, r.server.Counters().RateLimited)
		_, err = r.client.VerifyCredentials(t.Context(), tok.Access)
		require.NoError(t, err)
	})
}

// answering is a client of an instance that answers everything with h.
func answering(t *testing.T, h http.HandlerFunc) *mastodon.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := mastodon.New(mastodon.Config{BaseURL: s.URL, UserAgent: "Trunkline/test", ForwardClientAddr: true})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdle)
	return c
}

func TestOddAnswers(t *testing.T) {
	rows := []struct {
		name, contentType, body string
		status                  int
		want                    error
	}{
		{"html", "text/html", "<!DOCTYPE html><p>hello", 200, mastodon.ErrNotMastodon},
		{"empty", "application/json", "", 200, mastodon.ErrNotMastodon},
		{"no account", "application/json", "{}", 200, mastodon.ErrNotMastodon},
		{"an array", "application/json", "[]", 200, mastodon.ErrNotMastodon},
		{"id is a path", "application/json", `{"id":"../1","username":"a","acct":"a"}`, 200, mastodon.ErrNotMastodon},
		{"firewall", "text/html", "<p>Just a moment", 403, mastodon.ErrNotMastodon},
		{"proxy login", "text/html", "<p>401", 401, mastodon.ErrNotMastodon},
		{"no page", "text/html", "<p>404", 404, mastodon.ErrNotMastodon},
		{"teapot", "application/json", `{"error":"no user agent"}`, 418, mastodon.ErrRefused},
		{"app token", "application/json", `{"error":"This method requires an authenticated user"}`, 422, mastodon.ErrTokenInvalid},
		{"scope", "application/json", `{"error":"This action is outside the authorized scopes"}`, 403, mastodon.ErrScope},
		{"gone", "application/json", `{"error":"Gone"}`, 410, mastodon.ErrNotFound},
		{"500 page", "text/html", "<p>sorry", 500, mastodon.ErrDown},
		{"502 empty", "", "", 502, mastodon.ErrDown},
		{"429 of nginx", "text/html", "<p>slow", 429, mastodon.ErrRateLimited},
		{"bare redirect", "", "", 302, mastodon.ErrNotMastodon},
		{"moved in 200", "application/json", `{"id":"1","username":"a","acct":"a","moved":{"id":"2","username":"b","acct":"b"}}`, 200, mastodon.ErrAccountMoved},
		{"suspended in 200", "application/json", `{"id":"1","username":"a","acct":"a","suspended":true}`, 200, mastodon.ErrAccountSuspended},
		{"huge", "application/json", `"` + strings.Repeat("x", 5<<20) + `"`, 200, mastodon.ErrNotMastodon},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", row.contentType)
				w.WriteHeader(row.status)
				io.WriteString(w, row.body)
			})
			_, err := c.VerifyCredentials(t.Context(), "token")
			require.ErrorIs(t, err, row.want, "%v", err)
			require.Less(t, len(err.Error()), 500)
		})
	}
}

func TestNoSecretInErrors(t *testing.T) {
	const access, code, verifier, clientSecret = "access-7f3a+/=", "code-8c11", "verifier-55d0", "client-secret-e9"
	var sent []string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			http.NotFound(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		echo := r.Header.Get("Authorization") + " " + string(body)
		sent = append(sent, echo)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, echo)
	})
	app := mastodon.App{ID: "id", Secret: clientSecret, RedirectURI: callback, Scopes: []string{"read"}}
	var errs []error
	_, err := c.Exchange(t.Context(), app, code, verifier)
	require.ErrorIs(t, err, mastodon.ErrInvalidGrant)
	errs = append(errs, err, c.Revoke(t.Context(), app, access))
	_, err = c.VerifyCredentials(t.Context(), access)
	errs = append(errs, err)
	require.Len(t, sent, 3)
	require.Contains(t, strings.Join(sent, "\n"), code)
	for _, err := range errs {
		require.Error(t, err)
		require.Contains(t, err.Error(), "[redacted]")
		for _, secret := range []string{access, "access-7f3a", code, verifier, clientSecret} {
			require.NotContains(t, err.Error(), secret)
		}
	}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "app", app, "token", mastodon.Token{Access: access}, "secret", mastodon.Secret(access))
	fmt.Fprintf(&b, "%v %+v %#v %s %q", app, app, app, app.Secret, mastodon.Secret(access))
	require.NotContains(t, b.String(), clientSecret)
	require.NotContains(t, b.String(), "access-7f3a")
}

func TestRedirects(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/instance":
			http.Redirect(w, r, "/elsewhere-here", http.StatusMovedPermanently)
		case "/elsewhere-here":
			io.WriteString(w, `{"uri":"social.example","title":"x","version":"4"}`)
		case "/.well-known/oauth-authorization-server":
			w.WriteHeader(http.StatusNotFound)
		default:
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	})
	in, err := c.Instance(t.Context())
	require.NoError(t, err)
	require.Equal(t, "social.example", in.Domain)
	_, err = c.VerifyCredentials(t.Context(), "token")
	require.ErrorIs(t, err, mastodon.ErrNotMastodon)
	require.Contains(t, err.Error(), "another origin")
	_, err = c.Exchange(t.Context(), mastodon.App{ID: "i", Secret: "s", RedirectURI: callback, Scopes: []string{"read"}}, "c", "v")
	require.ErrorIs(t, err, mastodon.ErrNotMastodon)
	require.Zero(t, elsewhere, "nothing may arrive there")
}

func TestMetadataOfAnotherOriginAreRefused(t *testing.T) {
	for _, key := range []string{"issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint", "app_registration_endpoint"} {
		t.Run(key, func(t *testing.T) {
			var origin string
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				origin = "http://" + r.Host
				at := func(k string) string {
					if k == key {
						return "https://evil.example/" + k
					}
					return origin + "/" + k
				}
				fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"revocation_endpoint":%q,"app_registration_endpoint":%q}`,
					at("issuer"), at("authorization_endpoint"), at("token_endpoint"), at("revocation_endpoint"), at("app_registration_endpoint"))
			})
			_, err := c.Discover(t.Context())
			require.ErrorIs(t, err, mastodon.ErrNotMastodon)
		})
	}
}

func TestMetadataEndpointsAreUsed(t *testing.T) {
	var paths []string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		require.Equal(t, "Trunkline/test", r.UserAgent())
		require.Equal(t, "192.0.2.7", r.Header.Get("X-Forwarded-For"))
		o := "http://" + r.Host
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server":
			fmt.Fprintf(w, `{"issuer":"%[1]s/","authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/t","revocation_endpoint":"%[1]s/r","app_registration_endpoint":"%[1]s/reg","scopes_supported":["read"]}`, o)
		case "/reg":
			fmt.Fprintf(w, `{"client_id":"id","client_secret":"secret","redirect_uri":%q}`, callback)
		case "/t":
			io.WriteString(w, `{"access_token":"tok","token_type":"Bearer","scope":"read"}`)
		default:
			io.WriteString(w, `{}`)
		}
	})
	ctx := mastodon.WithClientAddr(t.Context(), netip.MustParseAddr("::ffff:192.0.2.7"))
	app, err := c.Register(ctx, "x", callback, "")
	require.NoError(t, err)
	require.Equal(t, []string{"read:accounts", "read:follows", "read:blocks", "read:mutes"}, app.Scopes)
	tok, err := c.Exchange(ctx, app, "code", "verifier")
	require.NoError(t, err)
	require.NoError(t, c.Revoke(ctx, app, tok.Access))
	require.Equal(t, []string{"/.well-known/oauth-authorization-server", "/reg", "/t", "/r"}, paths)
}

func TestRegistrationEchoIsChecked(t *testing.T) {
	for name, echo := range map[string]string{
		"out of band":  `{"client_id":"i","client_secret":"s","redirect_uri":"urn:ietf:wg:oauth:2.0:oob"}`,
		"one more URI": `{"client_id":"i","client_secret":"s","redirect_uri":"` + callback + `","redirect_uris":["` + callback + `","https://evil.example/"]}`,
		"fewer scopes": `{"client_id":"i","client_secret":"s","redirect_uri":"` + callback + `","scopes":["profile"]}`,
		"no secret":    `{"client_id":"i","redirect_uri":"` + callback + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/v1/apps" {
					http.NotFound(w, r)
					return
				}
				io.WriteString(w, echo)
			})
			_, err := c.Register(t.Context(), "x", callback, "")
			require.ErrorIs(t, err, mastodon.ErrNotMastodon)
		})
	}
}

func TestNarrowerTokenIsRefused(t *testing.T) {
	for body, want := range map[string]error{
		`{"access_token":"t","token_type":"Bearer","scope":"read:accounts"}`: mastodon.ErrScope,
		`{"access_token":"t","token_type":"Bearer"}`:                         nil,
		`{"error":"invalid_grant"}`:                                          mastodon.ErrInvalidGrant,
		`{"token_type":"Bearer"}`:                                            mastodon.ErrNotMastodon,
	} {
		c := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/oauth/token" {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, body)
		})
		_, err := c.Exchange(t.Context(), mastodon.App{ID: "i", Secret: "s", RedirectURI: callback, Scopes: []string{"read:accounts", "read:follows"}}, "c", "v")
		require.ErrorIs(t, err, want, "%s", body)
	}
}

func TestBaseURL(t *testing.T) {
	for _, good := range []string{"https://mastodon.example", "https://mastodon.example/", "https://m.example:8443", "http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"} {
		_, err := mastodon.New(mastodon.Config{BaseURL: good})
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"", "mastodon.example", "http://mastodon.example", "https://m.example/path", "https://u:p@m.example", "ftp://m.example", "https://m.example?x=1", "https://"} {
		_, err := mastodon.New(mastodon.Config{BaseURL: bad})
		require.Error(t, err, bad)
	}
}

package mastodontest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestErrorBodies(t *testing.T) {
	type row struct {
		status int
		body   string
	}
	rows := map[Mode]map[string]row{
		V46: {
			"no token": {401, `{"error":"The access token is invalid"}`}, "revoked": {401, `{"error":"The access token was revoked"}`},
			"disabled": {403, `{"error":"Your login is currently disabled"}`}, "no account": {404, `{"error":"Record not found"}`},
			"bad code":   {400, `{"error":"invalid_grant","error_description":"` + oauthErrors["invalid_grant"] + `"}`},
			"bad secret": {401, `{"error":"invalid_client","error_description":"` + oauthErrors["invalid_client"] + `"}`},
		},
		GoToSocial: {
			"no token": {401, `{"error":"Unauthorized: token not supplied or invalid"}`}, "revoked": {401, `{"error":"Unauthorized: token not supplied or invalid"}`},
			"disabled": {401, `{"error":"Unauthorized: token not supplied or invalid"}`}, "no account": {404, `{"error":"Not Found"}`},
			"bad code":   {400, `{"error":"Bad Request: sql: no rows in result set"}`},
			"bad secret": {400, `{"error":"invalid_client","error_description":"` + oauthErrors["invalid_client"] + `"}`},
		},
	}
	for m, want := range rows {
		t.Run(string(m), func(t *testing.T) {
			r := start(t, Options{Mode: m})
			tok := r.token()
			is := func(name string, got answer) {
				require.Equal(t, want[name].status, got.status, name)
				require.Equal(t, want[name].body, strings.TrimSpace(got.body), name)
			}
			const verify = "/api/v1/accounts/verify_credentials"
			is("no token", r.with("made-up", verify))
			is("no account", r.with(tok, "/api/v1/accounts/5/following"))
			is("bad code", r.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {r.id}, "client_secret": {r.pass}, "redirect_uri": {redirect}, "code": {"x"}}))
			is("bad secret", r.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {r.id}, "client_secret": {"x"}, "code": {"x"}}))
			r.s.SetState("alice", Disabled)
			is("disabled", r.with(tok, verify))
			r.s.SetState("alice", Active)
			r.s.RevokeTokens("alice")
			is("revoked", r.with(tok, verify))
		})
	}
}

func TestAuthorizeProblems(t *testing.T) {
	r := start(t, Options{})
	r.signIn()
	require.Equal(t, 401, r.get(strings.TrimPrefix(r.authURL(url.Values{"client_id": {"x"}}), r.origin)).status)
	require.Equal(t, 400, r.get(strings.TrimPrefix(r.authURL(url.Values{"redirect_uri": {redirect + "/"}}), r.origin)).status)
	for problem, change := range map[string]url.Values{
		"invalid_scope":                 {"scope": {"write"}},
		"unsupported_response_type":     {"response_type": {"token"}},
		"invalid_code_challenge_method": {"code_challenge": {"x"}, "code_challenge_method": {"plain"}},
	} {
		got := r.authorize(change)
		require.Equal(t, problem, got.Get("error"))
		require.Equal(t, "s", got.Get("state"))
	}
	r = start(t, Options{Mode: V43}) // took plain challenges
	require.NotEmpty(t, r.authorize(url.Values{"code_challenge": {"x"}, "code_challenge_method": {"plain"}}).Get("code"))
}

func TestForceLoginShowsTheAllowPage(t *testing.T) {
	r := start(t, Options{})
	tok := r.token()
	require.NotEmpty(t, r.authorize(nil).Get("code"))
	require.Empty(t, r.b.Pressed)
	r.authorize(url.Values{"force_login": {"true"}})
	require.Equal(t, []string{"Authorize"}, r.b.Pressed)
	require.Equal(t, tok, r.token(), "reuse_access_token")
}

func TestFrozenPeopleGoToSettings(t *testing.T) {
	for _, st := range []State{Disabled, Suspended, Moved, Unconfirmed, Pending} {
		r := start(t, Options{})
		r.signIn()
		r.s.SetState("alice", st)
		res := r.get(strings.TrimPrefix(r.authURL(nil), r.origin))
		require.Equal(t, "/auth/edit", res.header.Get("Location"))
		require.Equal(t, 200, r.get("/auth/edit").status)
	}
}

func TestGoToSocialKeepsTheFirstRequest(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	r := start(t, Options{Mode: GoToSocial, Now: func() time.Time { return now }})
	r.b.Stop = true
	_, err := r.b.Authorize(t.Context(), r.authURL(url.Values{"state": {"first"}}))
	require.ErrorIs(t, err, ErrStopped)
	require.Equal(t, 1, r.s.Counters().AbandonedLogins)
	r.b.Stop = false
	require.Equal(t, "first", r.authorize(url.Values{"state": {"second"}}).Get("state"))
	require.Equal(t, "third one", r.authorize(url.Values{"state": {"third one"}}).Get("state"))
	require.Equal(t, []string{"Log in", "Allow"}, r.b.Pressed, "asks every time")

	r.b.Stop = true
	_, err = r.b.Authorize(t.Context(), r.authURL(url.Values{"state": {"late"}}))
	require.ErrorIs(t, err, ErrStopped)
	now = now.Add(3 * time.Minute)
	require.Equal(t, 500, r.get("/oauth/authorize").status, "the session is gone")
}

func TestGoToSocialIsParticular(t *testing.T) {
	r := start(t, Options{Mode: GoToSocial})
	require.Equal(t, 404, r.get("/.well-known/oauth-authorization-server").status)
	require.Equal(t, 404, r.get("/oauth/userinfo").status)
	require.Equal(t, 418, r.do("GET", "/api/v1/instance", "", http.Header{"User-Agent": {""}}).status)
	tok := r.token()
	require.Equal(t, 401, r.do("GET", "/api/v1/accounts/verify_credentials", "", http.Header{"Authorization": {"bearer " + tok}}).status)
	require.Equal(t, 400, r.with(tok, "/api/v1/accounts/relationships").status)
	res := r.do("POST", "/api/v1/apps", `{"client_name":"x","redirect_uris":["`+redirect+`"]}`, http.Header{"Content-Type": {"application/json"}})
	require.Equal(t, 400, res.status)
	res = r.post("/api/v1/apps", url.Values{"client_name": {"x"}, "redirect_uris[]": {redirect}})
	require.Contains(t, res.body, outOfBand)
	require.Len(t, r.s.AccountID("alice"), 26)
}

func TestUserinfo(t *testing.T) {
	r := start(t, Options{})
	require.Equal(t, 403, r.with(r.token(), "/oauth/userinfo").status, "scope profile")
	require.Equal(t, 404, start(t, Options{Mode: V43}).get("/oauth/userinfo").status)
}

func TestRateLimits(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 1, 0, 0, time.UTC)
	r := start(t, Options{RateLimit: 3, Now: func() time.Time { return now }})
	for range 3 {
		require.Equal(t, 200, r.get("/api/v1/instance").status)
	}
	res := r.get("/api/v1/instance")
	require.Equal(t, 429, res.status)
	require.JSONEq(t, `{"error":"Too many requests"}`, res.body)
	require.Equal(t, "3", res.header.Get("X-Ratelimit-Limit"))
	require.Equal(t, "0", res.header.Get("X-Ratelimit-Remaining"))
	require.Equal(t, "2026-11-01T12:05:00.000000Z", res.header.Get("X-Ratelimit-Reset"))
	require.Empty(t, res.header.Get("Retry-After"))
	now = now.Add(4 * time.Minute)
	require.Equal(t, 200, r.get("/api/v1/instance").status)
	require.Equal(t, "1", r.get("/api/v1/instance").header.Get("X-Ratelimit-Remaining"))
	require.Equal(t, 1, r.s.Counters().RateLimited)
}

func TestMetadata(t *testing.T) {
	for m, userinfo := range map[Mode]bool{V46: true, V43: false} {
		r := start(t, Options{Mode: m})
		res := r.get("/.well-known/oauth-authorization-server")
		require.Equal(t, 200, res.status)
		require.Equal(t, userinfo, strings.Contains(res.body, `"userinfo_endpoint":"`+r.origin+`/oauth/userinfo"`))
		require.Equal(t, !userinfo, strings.Contains(res.body, `"password"`))
		require.Contains(t, res.body, `"code_challenge_methods_supported":["S256"]`)
	}
}

func TestLookup(t *testing.T) {
	for m, caseCounts := range map[Mode]bool{V46: false, GoToSocial: true} {
		r := start(t, Options{Mode: m})
		token := r.s.IssueToken("alice", "read:accounts")
		get := func(acct string) int { return r.with(token, "/api/v1/accounts/lookup?acct="+acct).status }
		require.Equal(t, 200, get("Alice@social.example"))
		require.Equal(t, 200, get("erin@garden.example"))
		require.Equal(t, 404, get("nobody"))
		require.Equal(t, caseCounts, get("alice@Social.example") == 404)
		require.Equal(t, m == GoToSocial, r.get("/api/v1/accounts/lookup?acct=alice").status == 401, "Mastodon asks nobody who they are")
	}
}

func TestSuspendedProfileIsBlank(t *testing.T) {
	r := start(t, Options{})
	path := "/api/v1/accounts/" + r.s.AccountID("alice")
	require.Contains(t, r.get(path).body, "Alice Moreau")
	r.s.SetState("alice", Suspended)
	require.Contains(t, r.get(path).body, `"suspended":true`)
	require.NotContains(t, r.get(path).body, "Alice Moreau")
	r.s.SetState("alice", Moved)
	require.Contains(t, r.get(path).body, `"moved":{`)
}

package mastodontest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is an authorisation request, read and judged.
type request struct {
	app      *app
	form     url.Values
	redirect string
	scopes   []string

	page    string // problem to show on our page: it must not go to the redirect URI
	status  int
	problem string // OAuth error code to send to the redirect URI
}

// judge reads an authorisation request. The lock must be held.
func (s *Server) judge(form url.Values) request {
	q := request{app: s.oauth.Apps[form.Get("client_id")], form: form, redirect: form.Get("redirect_uri")}
	switch {
	case q.app == nil && s.gts():
		q.page, q.status = "Internal Server Error: sql: no rows in result set", http.StatusInternalServerError
		return q
	case q.app == nil:
		q.page, q.status = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.", http.StatusUnauthorized
		return q
	case !slices.Contains(q.app.RedirectURIs, q.redirect):
		q.page, q.status = "The requested redirect uri is malformed or doesn't match client redirect URI.", http.StatusBadRequest
		return q
	}
	q.scopes = strings.Fields(form.Get("scope"))
	if len(q.scopes) == 0 {
		q.scopes = []string{"read"}
	}
	method := form.Get("code_challenge_method")
	switch {
	case form.Get("response_type") != "code":
		q.problem = "unsupported_response_type"
	case slices.ContainsFunc(q.scopes, func(sc string) bool { return !slices.Contains(q.app.Scopes, sc) }):
		q.problem = "invalid_scope"
	case s.gts() || form.Get("code_challenge") == "":
	case method == "S256", method == "plain" && s.mode == V43, method == "" && s.mode == V43:
	default:
		q.problem = "invalid_code_challenge_method"
	}
	return q
}

// back is the redirect URI with the outcome in its query, sorted.
func (q request) back(out url.Values) string {
	u, err := url.Parse(q.redirect)
	if err != nil {
		return q.redirect
	}
	vs := u.Query()
	for k := range out {
		vs.Set(k, out.Get(k))
	}
	if q.form.Has("state") {
		vs.Set("state", q.form.Get("state"))
	}
	u.RawQuery = vs.Encode()
	return u.String()
}

var oauthErrors = map[string]string{
	"access_denied":                 "The resource owner or authorization server denied the request.",
	"invalid_scope":                 "The requested scope is invalid, unknown, or malformed.",
	"unsupported_response_type":     "The authorization server does not support this response type.",
	"invalid_code_challenge_method": "The code challenge method must be S256.",
	"invalid_client":                "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
	"invalid_grant":                 "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
	"unsupported_grant_type":        "The authorization grant type is not supported by the authorization server.",
	"invalid_request":               "The request is missing a required parameter, includes an unsupported parameter value, or is otherwise malformed.",
	"unauthorized_client":           "You are not authorized to revoke this token",
}

func (q request) backError(code string) string {
	return q.back(url.Values{"error": {code}, "error_description": {oauthErrors[code]}})
}

// approve issues the code. The lock must be held.
func (s *Server) approve(q request, user string) string {
	code := s.token(32)
	s.oauth.codes[code] = &grant{
		App: q.app.ID, User: user, Redirect: q.redirect, Scopes: q.scopes,
		Challenge: q.form.Get("code_challenge"), Method: q.form.Get("code_challenge_method"), At: s.now(),
	}
	s.counts.CodesIssued++
	return q.back(url.Values{"code": {code}})
}

// issueToken is POST /oauth/token.
func (s *Server) issueToken(w http.ResponseWriter, r *http.Request) {
	form := s.params(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.authenticate(w, r, form)
	if a == nil {
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		s.redeem(w, a, form)
	case "client_credentials":
		t := &token{Value: s.token(32), App: a.ID, Scopes: []string{"read"}, At: s.now()}
		s.oauth.Tokens[t.Value] = t
		s.answerToken(w, t)
	case "":
		s.oauthError(w, http.StatusBadRequest, "invalid_request")
	default:
		s.oauthError(w, http.StatusBadRequest, "unsupported_grant_type")
	}
}

// authenticate finds the client by its id and secret, or answers the error itself.
// GoToSocial knows the form only; Mastodon HTTP Basic too.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, form url.Values) *app {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if bid, bsecret, ok := r.BasicAuth(); ok && id == "" {
		if s.gts() {
			s.oauthError(w, http.StatusBadRequest, "invalid_request")
			return nil
		}
		id, _ = url.QueryUnescape(bid)
		secret, _ = url.QueryUnescape(bsecret)
	}
	a := s.oauth.Apps[id]
	if a != nil && subtle.ConstantTimeCompare([]byte(a.Secret), []byte(secret)) == 1 {
		return a
	}
	status := http.StatusUnauthorized
	if s.gts() {
		status = http.StatusBadRequest
	}
	s.oauthError(w, status, "invalid_client")
	return nil
}

// redeem trades a code for a token.
func (s *Server) redeem(w http.ResponseWriter, a *app, form url.Values) {
	g := s.oauth.codes[form.Get("code")]
	if s.gts() && (g == nil || g.Used) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "Bad Request: sql: no rows in result set"})
		return
	}
	switch {
	case g == nil, g.Used, g.App != a.ID, s.now().Sub(g.At) >= codeTTL, g.Redirect != form.Get("redirect_uri"):
		s.oauthError(w, http.StatusBadRequest, "invalid_grant")
		return
	case !s.gts() && g.Challenge != "" && form.Get("code_verifier") == "":
		s.oauthError(w, http.StatusBadRequest, "invalid_request")
		return
	case !s.gts() && g.Challenge != "" && !verifies(g, form.Get("code_verifier")):
		s.oauthError(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	g.Used = true
	var t *token
	if !s.gts() { // reuse_access_token
		t = s.oauth.matching(a.ID, g.User, g.Scopes)
	}
	if t == nil {
		t = &token{Value: s.token(32), App: a.ID, User: g.User, Scopes: g.Scopes, At: s.now()}
		s.oauth.Tokens[t.Value] = t
	}
	s.answerToken(w, t)
}

func verifies(g *grant, verifier string) bool {
	if g.Method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(g.Challenge), []byte(verifier)) == 1
}

func (s *Server) answerToken(w http.ResponseWriter, t *token) {
	s.counts.TokensIssued++
	s.save()
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": t.Value, "token_type": "Bearer", "scope": strings.Join(t.Scopes, " "), "created_at": t.At.Unix(),
	})
}

// revokeToken is POST /oauth/revoke. Revoking twice, or what never was, is fine.
func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) {
	form := s.params(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gts() && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		s.oauthError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	id := form.Get("client_id")
	if bid, _, ok := r.BasicAuth(); ok && id == "" {
		id = bid
	}
	t := s.oauth.Tokens[form.Get("token")]
	a := s.oauth.Apps[id]
	switch {
	case s.gts():
		if s.authenticate(w, r, form) == nil {
			return
		}
	case t != nil && (a == nil || t.App != a.ID || a.Secret != secretOf(r, form)):
		s.oauthError(w, http.StatusForbidden, "unauthorized_client")
		return
	}
	if t != nil && !t.Revoked {
		t.Revoked = true
		s.counts.TokensRevoked++
		s.save()
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func secretOf(r *http.Request, form url.Values) string {
	if _, secret, ok := r.BasicAuth(); ok {
		return secret
	}
	return form.Get("client_secret")
}

func (s *Server) oauthError(w http.ResponseWriter, status int, code string) {
	text := oauthErrors[code]
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Doorkeeper", error="`+code+`", error_description="`+text+`"`)
	}
	writeJSON(w, status, map[string]string{"error": code, "error_description": text})
}

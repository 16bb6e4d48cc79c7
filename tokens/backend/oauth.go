package backend

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Access makes and knows access tokens: short-lived words that stand for a password
// that was right. An error means that it cannot be told now.
type Access interface {
	// MintAccess checks a password as Verifier.Check does and, if it is right, makes
	// a token for it.
	MintAccess(ctx context.Context, service, username, secret, front, from string) (
		token string, expires time.Time, ok bool, reason, account, credential string, err error)
	// Access says whose token it is. ok is false for what was never made here, has
	// expired, or whose password has ended.
	Access(ctx context.Context, token string) (username, account string, ok bool, err error)
}

// OAuthConfig is what OAuth needs beside the Core.
type OAuthConfig struct {
	// Issuer is the issuer in the metadata, an origin such as
	// "https://chat.example.org". Empty: the origin that the metadata were asked at,
	// as RFC 8414 section 3.3 wants it.
	Issuer   string
	ClientID string
	Secret   []byte           // the client secret
	Now      func() time.Time // nil is time.Now
}

// OAuth answers Prosody's community module mod_auth_oauth_external, and whatever
// else takes passwords and tokens by OAuth 2.0, on the private listener:
//
//	POST /oauth/token       grant_type=password (RFC 6749 section 4.3)
//	GET  /oauth/userinfo    Authorization: Bearer TOKEN
//	POST /oauth/introspect  token=TOKEN (RFC 7662)
//	GET  /.well-known/oauth-authorization-server (RFC 8414)
//
// A device or temporary password gets a token of 60 seconds that is good for the
// chat alone. username is a localpart, or an address user@domain of our domain.
// The client authenticates with HTTP Basic or in the form, not both (RFC 6749
// section 2.3.1). Errors are those of section 5.2; "cannot tell now" is 503 with
// Retry-After and the code temporarily_unavailable.
//
// userinfo tells sub (the id of the account at Mastodon) and preferred_username
// (the localpart), and nothing personal. Only tokens made here are good there:
// another app's Mastodon token is refused like any other word, with 401 and a body
// that Prosody hands to the client as it stands (RFC 7628 section 3.2.2).
//
// Neither passwords nor tokens are logged, and none is read from a URL.
func OAuth(core *Core, access Access, cfg OAuthConfig) (http.Handler, error) {
	o := &oauth{core: core, access: access, id: []byte(cfg.ClientID), secret: bytes.Clone(cfg.Secret), now: cfg.Now}
	if o.now == nil {
		o.now = time.Now
	}
	if len(o.id) == 0 || len(o.secret) == 0 || access == nil {
		return nil, errors.New("backend: OAuth needs a client id, a client secret and somebody who makes tokens")
	}
	if cfg.Issuer != "" {
		u, err := url.Parse(cfg.Issuer)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("backend: OAuth: the issuer must be a scheme and a host, nothing more")
		}
		o.issuer = u.Scheme + "://" + u.Host
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth/token", o.token)
	mux.HandleFunc("/oauth/userinfo", o.userinfo)
	mux.HandleFunc("/oauth/introspect", o.introspect)
	mux.HandleFunc("/.well-known/oauth-authorization-server", o.metadata)
	return mux, nil
}

const (
	frontOAuth = "oauth"

	// oauthScope is the only one there is.
	oauthScope = "xmpp"

	// accessPrefix is what every token made here begins with; others are not even
	// looked for.
	accessPrefix = "tla_"
)

type oauth struct {
	core       *Core
	access     Access
	issuer     string
	id, secret []byte
	now        func() time.Time
}

// oauthFailure is an error response (RFC 6749 section 5.2).
type oauthFailure struct {
	status      int
	code        string
	description string // for the admin who reads a log or uses curl
}

func (f oauthFailure) write(w http.ResponseWriter) {
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="trunkline", charset="UTF-8"`)
	}
	w.Header().Set("Pragma", "no-cache")
	reply(w, f.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{f.code, f.description})
}

func invalidRequest(description string) *oauthFailure {
	return &oauthFailure{http.StatusBadRequest, "invalid_request", description}
}

// form reads the body of a POST and authenticates the client, or answers the
// refusal.
func (o *oauth) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	form, failure := readForm(w, r)
	if failure == nil {
		failure = o.authenticate(r, form)
	}
	if failure != nil {
		o.core.log.WarnContext(r.Context(), "backend: OAuth request refused", "path", r.URL.Path,
			"remote", r.RemoteAddr, "error", failure.code, "description", failure.description)
		failure.write(w)
		return nil, false
	}
	return form, true
}

// readForm reads the body of a POST; a query is not looked at, since a secret in one
// would end in logs (RFC 6749 section 2.3.1).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *oauthFailure) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &oauthFailure{http.StatusMethodNotAllowed, "invalid_request", "ask with POST"}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &oauthFailure{http.StatusRequestEntityTooLarge, "invalid_request", "the body is too large"}
	case err != nil:
		return nil, invalidRequest("the body is not readable")
	}
	form, err := parseForm(string(body))
	if err != nil {
		return nil, invalidRequest(err.Error())
	}
	return form, nil
}

// authenticate checks the client's id and secret, which stand in HTTP Basic, each
// form-encoded, or in the form (RFC 6749 section 2.3.1).
func (o *oauth) authenticate(r *http.Request, form url.Values) *oauthFailure {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		if form.Has("client_secret") {
			return invalidRequest("the client authenticates twice")
		}
		basicID, basicSecret, ok := r.BasicAuth()
		decodedID, errID := url.QueryUnescape(basicID)
		decodedSecret, errSecret := url.QueryUnescape(basicSecret)
		if !ok || errID != nil || errSecret != nil || id != "" && id != decodedID {
			return &oauthFailure{http.StatusUnauthorized, "invalid_client", "HTTP Basic with the client's id and secret is expected"}
		}
		id, secret = decodedID, decodedSecret
	}
	known := same(id, o.id)
	if !same(secret, o.secret) || !known {
		return &oauthFailure{http.StatusUnauthorized, "invalid_client", "wrong client id or client secret"}
	}
	return nil
}

// token is the password grant.
func (o *oauth) token(w http.ResponseWriter, r *http.Request) {
	form, ok := o.form(w, r)
	if !ok {
		return
	}
	q, failure := parseGrant(form)
	if failure != nil {
		failure.write(w)
		return
	}
	q.Front, q.Caller = frontOAuth, caller(r)
	var minted string
	var expires time.Time
	result := o.core.AuthBy(r.Context(), q, func(ctx context.Context) (v Verdict, err error) {
		minted, expires, v.OK, v.Reason, v.Account, v.Credential, err =
			o.access.MintAccess(ctx, "xmpp", q.User, q.Secret, frontOAuth, q.Address)
		return v, err
	})
	switch result.Answer {
	case Yes:
		w.Header().Set("Pragma", "no-cache")
		reply(w, http.StatusOK, struct {
			Token   string `json:"access_token"`
			Type    string `json:"token_type"`
			Expires int64  `json:"expires_in"`
			Scope   string `json:"scope"`
		}{minted, "Bearer", max(0, int64(expires.Sub(o.now())/time.Second)), oauthScope})
	case No:
		oauthFailure{http.StatusBadRequest, "invalid_grant", "wrong user name or password"}.write(w)
	default:
		w.Header().Set("Retry-After", retryAfter(result))
		oauthFailure{http.StatusServiceUnavailable, "temporarily_unavailable", "it cannot be told now"}.write(w)
	}
}

// parseGrant reads a password grant (RFC 6749 section 4.3.2). Its errors do not
// quote the form.
func parseGrant(form url.Values) (Question, *oauthFailure) {
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return Question{}, invalidRequest("grant_type is missing")
	case grant != "password":
		return Question{}, &oauthFailure{http.StatusBadRequest, "unsupported_grant_type", "only the grant type password is known"}
	case !scopeWords(form.Get("scope")):
		return Question{}, &oauthFailure{http.StatusBadRequest, "invalid_scope", "scope is not a list of words"}
	}
	q := Question{Secret: form.Get("password")}
	q.User, q.Host = splitUser(form.Get("username"))
	switch {
	case q.User == "" || len(q.User) > maxPart || len(q.Host) > maxPart:
		return Question{}, invalidRequest("username is missing or too long")
	case q.Secret == "":
		return Question{}, invalidRequest("password is missing")
	}
	return q, nil
}

// scopeWords says whether s is a scope (RFC 6749 section 3.3). Which words are in
// it does not matter: what is given is always the same one, and the answer says so.
func scopeWords(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r > 0x7e || r == '"' || r == '\\'
	})
}

// splitUser takes a user name apart. Prosody sends localparts unescaped (XEP-0106),
// so that a whole address typed as the user name arrives as one, and newer versions
// of its module send addresses.
func splitUser(username string) (local, host string) {
	if at := strings.LastIndexByte(username, '@'); at >= 0 {
		local, host = username[:at], username[at+1:]
		if host == "" { // "alice@" is no address, and nobody's name
			return username, ""
		}
		return local, host
	}
	return username, ""
}

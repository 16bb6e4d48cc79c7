package backend

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tokenError is the body of a refused token, with the words of RFC 7628 section
// 3.2.2 and of RFC 6750 section 3.1.
type tokenError struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Scope  string `json:"scope"`
}

// userinfo says whose token it is.
func (o *oauth) userinfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		reply(w, http.StatusMethodNotAllowed, tokenError{"invalid_request", "invalid_request", oauthScope})
		return
	}
	username, account, result := o.owner(r, bearerToken(r))
	switch result.Answer {
	case Yes:
		reply(w, http.StatusOK, struct {
			Subject  string `json:"sub"`
			Username string `json:"preferred_username"`
		}{account, username})
	case No:
		w.Header().Set("WWW-Authenticate", `Bearer realm="trunkline", error="invalid_token", scope="`+oauthScope+`"`)
		reply(w, http.StatusUnauthorized, tokenError{"invalid_token", "invalid_token", oauthScope})
	default:
		w.Header().Set("Retry-After", retryAfter(result))
		reply(w, http.StatusServiceUnavailable, tokenError{"server_error", "temporarily_unavailable", oauthScope})
	}
}

// introspect says to our client whether a token is alive (RFC 7662 section 2).
func (o *oauth) introspect(w http.ResponseWriter, r *http.Request) {
	form, ok := o.form(w, r)
	if !ok {
		return
	}
	token := form.Get("token")
	if token == "" {
		invalidRequest("token is missing").write(w)
		return
	}
	username, account, result := o.owner(r, token)
	switch result.Answer {
	case Yes:
		reply(w, http.StatusOK, struct {
			Active   bool   `json:"active"`
			Scope    string `json:"scope"`
			Client   string `json:"client_id"`
			Username string `json:"username"`
			Type     string `json:"token_type"`
			Subject  string `json:"sub"`
			Issuer   string `json:"iss"`
		}{true, oauthScope, string(o.id), username, "Bearer", account, o.origin(r)})
	case No:
		reply(w, http.StatusOK, map[string]bool{"active": false})
	default:
		w.Header().Set("Retry-After", retryAfter(result))
		oauthFailure{http.StatusServiceUnavailable, "temporarily_unavailable", "it cannot be told now"}.write(w)
	}
}

// Reasons of our own.
const (
	reasonForeign = "foreign_token" // not one that is made here
	reasonNoToken = "no_such_token" // expired, ended, or never made
)

// owner looks a token up, within thinkTime, and records the answer.
func (o *oauth) owner(r *http.Request, token string) (username, account string, result Result) {
	began := time.Now()
	result = Result{Answer: No, Reason: reasonForeign}
	if strings.HasPrefix(token, accessPrefix) {
		username, account, result = o.lookUp(r, token)
	} else {
		o.core.log.InfoContext(r.Context(), "backend: a token that was not made here was refused", "remote", r.RemoteAddr)
	}
	o.core.metrics.answered(frontOAuth, "token", result.Answer, time.Since(began))
	o.core.Record(Event{
		Front: frontOAuth, Caller: caller(r), Op: "token", Username: username, Account: account,
		Outcome: string(result.Answer), Reason: result.Reason,
	})
	return username, account, result
}

// bearerToken is the token of a request's Authorization header (RFC 6750 section
// 2.1), "" if there is none. Other places for it are not looked at.
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// metadata is RFC 8414. The endpoints are where the asker has found us: the private
// listener has no other name that everybody who may use it knows.
func (o *oauth) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		invalidRequest("ask with GET").write(w)
		return
	}
	here := requestOrigin(r)
	if here == "" {
		invalidRequest("the Host header names no host").write(w)
		return
	}
	auth := []string{"client_secret_basic", "client_secret_post"}
	reply(w, http.StatusOK, struct {
		Issuer            string   `json:"issuer"`
		Token             string   `json:"token_endpoint"`
		Userinfo          string   `json:"userinfo_endpoint"`
		Introspection     string   `json:"introspection_endpoint"`
		Scopes            []string `json:"scopes_supported"`
		Responses         []string `json:"response_types_supported"`
		Grants            []string `json:"grant_types_supported"`
		TokenAuth         []string `json:"token_endpoint_auth_methods_supported"`
		IntrospectionAuth []string `json:"introspection_endpoint_auth_methods_supported"`
	}{
		o.origin(r), here + "/oauth/token", here + "/oauth/userinfo", here + "/oauth/introspect",
		[]string{oauthScope}, []string{}, []string{"password"}, auth, auth,
	})
}

// origin is the issuer.
func (o *oauth) origin(r *http.Request) string {
	if o.issuer != "" {
		return o.issuer
	}
	return requestOrigin(r)
}

// requestOrigin is how the asker reached us, "" where its Host header is none.
func requestOrigin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u, err := url.Parse(scheme + "://" + r.Host)
	if err != nil || u.Host != r.Host || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	return scheme + "://" + u.Host
}

// lookUp asks for the owner of a token that may be ours.
func (o *oauth) lookUp(r *http.Request, token string) (username, account string, result Result) {
	var name string // read after a yes alone: what is left running may still write it
	result = o.core.ask(r.Context(), o.core.quick, func(ctx context.Context) (v Verdict, err error) {
		name, v.Account, v.OK, err = o.access.Access(ctx, token)
		if v.Reason = ReasonOK; !v.OK {
			v.Reason = reasonNoToken
		}
		return v, err
	})
	if result.Answer != Yes {
		return "", "", result
	}
	return name, result.Account, result
}

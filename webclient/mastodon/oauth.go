package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-mastodon"
	"golang.org/x/oauth2"
)

// Scopes (facts of Mastodon's documentation, "OAuth scopes"). An app's scopes cannot be
// widened later, so registration asks for all that the product will ever need; a login
// asks for the few it needs now, always the same ones.
var (
	registeredScopes = []string{"profile", "read:accounts", "read:follows", "read:blocks", "read:mutes", "write:reports"}
	loginScopes      = []string{"read:accounts", "read:follows"}
)

// Endpoints is what Discover found.
type Endpoints struct {
	Authorization string
	Token         string
	Revocation    string
	Registration  string
	Scopes        []string // scopes_supported; nil where nothing is known
	Metadata      bool     // found in RFC 8414 metadata, not the fixed paths
}

const discoveryLife = time.Hour

// Discover finds the OAuth endpoints: from RFC 8414 metadata where the instance has
// them (Mastodon ≥ 4.3), else the paths that every Mastodon-API server uses. The
// result is kept for an hour.
func (c *Client) Discover(ctx context.Context) (Endpoints, error) {
	c.mu.Lock()
	ep, at := c.endpoints, c.discoveredAt
	c.mu.Unlock()
	if !at.IsZero() && c.now().Sub(at) < discoveryLife {
		return ep, nil
	}
	ep, err := c.discover(ctx)
	if err != nil {
		return Endpoints{}, err
	}
	c.mu.Lock()
	c.endpoints, c.discoveredAt = ep, c.now()
	c.mu.Unlock()
	return ep, nil
}

func (c *Client) discover(ctx context.Context) (Endpoints, error) {
	fixed := Endpoints{
		Authorization: c.BaseURL() + "/oauth/authorize", Token: c.BaseURL() + "/oauth/token",
		Revocation: c.BaseURL() + "/oauth/revoke", Registration: c.BaseURL() + "/api/v1/apps",
	}
	cl := &call{op: "discover", realm: realmClient}
	err := c.get(ctx, cl, "/.well-known/oauth-authorization-server")
	var e *Error
	if errors.As(err, &e) && e.Status > 0 && e.Status < 500 {
		return fixed, nil // 404 before 4.3; some servers answer unknown paths with a page
	}
	if err != nil {
		return Endpoints{}, err
	}
	var m struct {
		Issuer        string   `json:"issuer"`
		Authorization string   `json:"authorization_endpoint"`
		Token         string   `json:"token_endpoint"`
		Revocation    string   `json:"revocation_endpoint"`
		Registration  string   `json:"app_registration_endpoint"`
		Scopes        []string `json:"scopes_supported"`
	}
	if json.Unmarshal(cl.body, &m) != nil || m.Authorization == "" || m.Token == "" {
		return Endpoints{}, &Error{Op: cl.op, Kind: ErrNotMastodon, Detail: "metadata of an unexpected shape"}
	}
	for _, s := range []string{m.Issuer, m.Authorization, m.Token, m.Revocation, m.Registration} {
		if u, err := url.Parse(s); s != "" && (err != nil || !sameOrigin(u, c.base)) {
			return Endpoints{}, &Error{Op: cl.op, Kind: ErrNotMastodon, Detail: "metadata name another origin, " + clean(s, nil)}
		}
	}
	ep := Endpoints{
		Authorization: m.Authorization, Token: m.Token, Revocation: m.Revocation, Registration: m.Registration,
		Scopes: m.Scopes, Metadata: true,
	}
	if ep.Revocation == "" {
		ep.Revocation = fixed.Revocation
	}
	if ep.Registration == "" {
		ep.Registration = fixed.Registration
	}
	return ep, nil
}

// get fetches a path without a token, for what go-mastodon does not know.
func (c *Client) get(ctx context.Context, cl *call, path string) error {
	r, err := http.NewRequestWithContext(cl.in(ctx), http.MethodGet, c.BaseURL()+path, nil)
	if err != nil {
		return fmt.Errorf("mastodon: %s: %w", cl.op, err)
	}
	res, err := c.http.Do(r)
	if err == nil {
		res.Body.Close()
	}
	return cl.finish(ctx, err)
}

// App is our registration at the instance.
type App struct {
	ID          string
	Secret      Secret
	RedirectURI string
	Scopes      []string // registered: the most that a login can ask for
}

// Register registers an app with all scopes that the product will ever need
// (they cannot be widened later) and exactly one redirect URI, and checks that the
// instance echoes both.
// Mastodon allows five registrations in ten minutes from one address: keep the App.
func (c *Client) Register(ctx context.Context, name, redirectURI, website string) (App, error) {
	ep, err := c.Discover(ctx)
	if err != nil {
		return App{}, err
	}
	scopes := ep.registrable()
	cl := &call{op: "register", realm: realmClient, endpoint: ep.Registration}
	// One string, not an array: some servers refuse or misread the array.
	app, err := mastodon.RegisterApp(cl.in(ctx), &mastodon.AppConfig{
		Client: *c.http, Server: c.BaseURL(), ClientName: name, RedirectURIs: redirectURI,
		Scopes: strings.Join(scopes, " "), Website: website,
	})
	if err := cl.finish(ctx, err); err != nil {
		return App{}, err
	}
	if err := checkEcho(cl.body, app, redirectURI, scopes); err != nil {
		return App{}, &Error{Op: cl.op, Kind: ErrNotMastodon, Detail: err.Error()}
	}
	return App{ID: app.ClientID, Secret: Secret(app.ClientSecret), RedirectURI: redirectURI, Scopes: scopes}, nil
}

// registrable is registeredScopes as far as the instance knows them. Without metadata
// it is older than the scope profile.
func (ep Endpoints) registrable() []string {
	return slices.DeleteFunc(slices.Clone(registeredScopes), func(scope string) bool {
		if len(ep.Scopes) == 0 {
			return scope == "profile"
		}
		return !granted(ep.Scopes, scope)
	})
}

// granted tells whether scopes hold scope, or the broad one it is part of.
func granted(scopes []string, scope string) bool {
	broad, _, _ := strings.Cut(scope, ":")
	return slices.Contains(scopes, scope) || slices.Contains(scopes, broad)
}

// checkEcho compares what was registered with what was asked for. redirect_uris and
// scopes are echoed by Mastodon ≥ 4.3 only.
func checkEcho(body []byte, app *mastodon.Application, redirectURI string, scopes []string) error {
	var echo struct {
		RedirectURIs []string `json:"redirect_uris"`
		Scopes       []string `json:"scopes"`
	}
	if err := json.Unmarshal(body, &echo); err != nil {
		return errors.New("the registration is of an unexpected shape")
	}
	switch {
	case app.ClientID == "" || app.ClientSecret == "":
		return errors.New("the registration has no client id or secret")
	case strings.TrimSpace(app.RedirectURI) != redirectURI,
		echo.RedirectURIs != nil && !slices.Equal(echo.RedirectURIs, []string{redirectURI}):
		return errors.New("another redirect URI was registered than asked for")
	}
	for _, scope := range scopes {
		if echo.Scopes != nil && !granted(echo.Scopes, scope) {
			return fmt.Errorf("the scope %s was not registered", scope)
		}
	}
	return nil
}

func (ep Endpoints) config(app App) *oauth2.Config {
	return &oauth2.Config{
		ClientID: app.ID, ClientSecret: string(app.Secret), RedirectURL: app.RedirectURI,
		Scopes: slices.DeleteFunc(slices.Clone(loginScopes), func(s string) bool { return !granted(app.Scopes, s) }),
		// In the form: GoToSocial knows no other way, Mastodon takes both.
		Endpoint: oauth2.Endpoint{AuthURL: ep.Authorization, TokenURL: ep.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// AuthURL is where to send the browser. state should be base64url or hex (some
// servers mangle other characters), verifier as oauth2.GenerateVerifier makes it.
// The scopes asked for are the few needed now, always the same: instances then
// skip the consent page for people who already agreed.
func (c *Client) AuthURL(ctx context.Context, app App, state, verifier string) (string, error) {
	ep, err := c.Discover(ctx)
	if err != nil {
		return "", err
	}
	return ep.config(app).AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), nil
}

// Token is what a login yields. Mastodon's never expires and is the same string
// for every login of one person with one app: revoking it ends all of them.
type Token struct {
	Access Secret
	Scopes []string
}

// Exchange trades the code of a callback for a token.
// Errors of note: ErrInvalidGrant, ErrBadClient, ErrScope.
func (c *Client) Exchange(ctx context.Context, app App, code, verifier string) (Token, error) {
	ep, err := c.Discover(ctx)
	if err != nil {
		return Token{}, err
	}
	cfg := ep.config(app)
	cl := &call{op: "exchange code", realm: realmToken, secrets: []string{string(app.Secret), code, verifier}}
	tok, err := cfg.Exchange(c.oauthContext(ctx, cl), code, oauth2.VerifierOption(verifier))
	var said *oauth2.RetrieveError
	if errors.As(err, &said) { // "error" in a 200
		return Token{}, &Error{Op: cl.op, Kind: tokenKind(http.StatusBadRequest, said.ErrorCode), Status: http.StatusOK}
	}
	if err := cl.finish(ctx, err); err != nil {
		return Token{}, err
	}
	t := Token{Access: Secret(tok.AccessToken), Scopes: cfg.Scopes}
	if s, _ := tok.Extra("scope").(string); s != "" {
		t.Scopes = strings.Fields(s)
	}
	for _, scope := range cfg.Scopes {
		if !granted(t.Scopes, scope) {
			return Token{}, &Error{Op: cl.op, Kind: ErrScope, Detail: "missing: " + scope}
		}
	}
	return t, nil
}

// oauthContext makes x/oauth2 use our transport for cl.
func (c *Client) oauthContext(ctx context.Context, cl *call) context.Context {
	return context.WithValue(cl.in(ctx), oauth2.HTTPClient, c.http)
}

// Revoke makes the token invalid for every holder. Revoking a token that is
// already invalid is no error.
func (c *Client) Revoke(ctx context.Context, app App, access Secret) error {
	ep, err := c.Discover(ctx)
	if err != nil {
		return err
	}
	cl := &call{op: "revoke", realm: realmClient, endpoint: ep.Revocation, secrets: []string{string(app.Secret), string(access)}}
	m := c.api(access)
	m.Config.ClientID, m.Config.ClientSecret = app.ID, string(app.Secret)
	return cl.finish(ctx, m.RevokeToken(cl.in(ctx)))
}

package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-mastodon"
	"golang.org/x/oauth2/clientcredentials"
)

// Look is the public profile of accountID: what anybody may see. It counts as nobody's
// activity. Suspended, Moved and Memorial say what they say; a login that is only
// frozen cannot be seen there. ErrNotFound: there is no such account, or nobody who
// could use it. access is "" or an app's own token. ErrClosed: the instance shows it
// to people only.
func (c *Client) Look(ctx context.Context, access Secret, accountID string) (Account, error) {
	cl := &call{op: "look at account", realm: realmPublic, secrets: []string{string(access)}}
	if !isID(accountID) {
		return Account{}, &Error{Op: cl.op, Kind: ErrNotFound}
	}
	raw, err := c.api(access).GetAccount(cl.in(ctx), mastodon.ID(accountID))
	return c.public(ctx, cl, raw, err)
}

// LocalPerson is the public profile of the local person called username, by what the
// instance knows without asking others. ErrNotFound: it has nobody of that name.
// access is "" or an app's own token. ErrClosed: the instance tells people only.
func (c *Client) LocalPerson(ctx context.Context, access Secret, username string) (Account, error) {
	cl := &call{op: "look up name", realm: realmPublic, secrets: []string{string(access)}}
	if !isID(strings.ReplaceAll(username, ".", "_")) {
		return Account{}, &Error{Op: cl.op, Kind: ErrNotFound}
	}
	// Without a domain: some servers compare it letter by letter, and an instance's
	// own may be written in two ways.
	raw, err := c.api(access).AccountLookup(cl.in(ctx), username)
	a, err := c.public(ctx, cl, raw, err)
	if err == nil && (!a.Local() || !strings.EqualFold(a.Username, username)) {
		return Account{}, &Error{Op: cl.op, Kind: ErrNotFound, Detail: "the instance names somebody else"}
	}
	return a, err
}

func (c *Client) public(ctx context.Context, cl *call, raw *mastodon.Account, err error) (Account, error) {
	err = cl.finish(ctx, err)
	c.strangers.note(cl.header, err, c.now())
	if err != nil {
		return Account{}, err
	}
	var more seen
	if json.Unmarshal(cl.body, &more) != nil {
		return Account{}, cl.oddShape()
	}
	a, ok := newAccount(raw, more)
	if !ok {
		return Account{}, cl.oddShape()
	}
	return a, nil
}

// publicKind reads the refusal of a call that speaks for nobody.
func publicKind(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity:
		return ErrClosed
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	}
	return ErrRefused
}

// AppToken is a token of our app itself, for instances that show public things to
// known apps only. It speaks for nobody.
func (c *Client) AppToken(ctx context.Context, app App) (Secret, error) {
	ep, err := c.Discover(ctx)
	if err != nil {
		return "", err
	}
	person := ep.config(app)
	cl := &call{op: "app token", realm: realmClient, secrets: []string{string(app.Secret)}}
	own := clientcredentials.Config{ClientID: person.ClientID, ClientSecret: person.ClientSecret, Scopes: person.Scopes,
		TokenURL: ep.Token, AuthStyle: person.Endpoint.AuthStyle, EndpointParams: url.Values{"redirect_uri": {app.RedirectURI}}}
	tok, err := own.Token(c.oauthContext(ctx, cl))
	if err := cl.finish(ctx, err); err != nil {
		return "", err
	}
	return Secret(tok.AccessToken), nil
}

// PublicBusy is how long Look and LocalPerson had better not be called where nobody
// waits for them: the instance counts such calls by our address and has said that
// most of them are spent. PersonsBusy is the same for VerifyCredentials.
func (c *Client) PublicBusy() time.Duration { return c.strangers.busy(c.now()) }

// PersonsBusy is for VerifyCredentials what PublicBusy is for Look.
func (c *Client) PersonsBusy() time.Duration { return c.persons.busy(c.now()) }

// allowance is what is left of a rate limit, as far as the last answer told.
type allowance struct {
	longest time.Duration // that a low remainder, not yet a refusal, holds up

	mu    sync.Mutex
	until time.Time
}

// reserve is the part of a limit that is left for calls that somebody waits for.
const reserve = 5

// note reads an answer's headers, and the refusal if it is one.
func (a *allowance) note(h http.Header, err error, now time.Time) {
	var limited *RateLimitError
	until := time.Time{}
	switch rate := rateLimit(h); {
	case errors.As(err, &limited):
		until = now.Add(limited.Wait)
	case rate.Limit > 0 && rate.Remaining <= rate.Limit/reserve && rate.Reset.After(now):
		until = now.Add(min(rate.Reset.Sub(now), a.longest))
	default:
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if until.After(a.until) {
		a.until = until
	}
}

func (a *allowance) busy(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(0, a.until.Sub(now))
}

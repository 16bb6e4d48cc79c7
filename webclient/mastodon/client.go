package mastodon

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"
)

// Config says which instance to talk to, and how.
type Config struct {
	// BaseURL is the origin of the instance's web domain, for example
	// "https://mastodon.example". http:// is taken only for loopback hosts.
	BaseURL string
	// HTTP gives transport and overall timeout per call; nil means sane defaults
	// (15 s). Its redirect policy and cookie jar are not used.
	HTTP *http.Client
	// UserAgent is sent with every request; empty means "Trunkline".
	UserAgent string
	// ForwardClientAddr sends the address given to WithClientAddr in
	// X-Forwarded-For, for instances that trust us with it: their per-address rate
	// limits then see the person and not this server.
	ForwardClientAddr bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Client talks to one instance.
type Client struct{}

// New checks the configuration. It does not talk to the instance.
func New(cfg Config) (*Client, error) { return nil, errors.ErrUnsupported }

// BaseURL is the instance's origin, without a trailing slash.
func (c *Client) BaseURL() string { return "" }

// Endpoints is what Discover found.
type Endpoints struct {
	Authorization string
	Token         string
	Revocation    string
	Registration  string
	Scopes        []string // scopes_supported; nil where nothing is known
	Metadata      bool     // found in RFC 8414 metadata, not the fixed paths
}

// Discover finds the OAuth endpoints: from RFC 8414 metadata where the instance has
// them (Mastodon ≥ 4.3), else the paths that every Mastodon-API server uses. The
// result is kept for an hour.
func (c *Client) Discover(ctx context.Context) (Endpoints, error) {
	return Endpoints{}, errors.ErrUnsupported
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
	return App{}, errors.ErrUnsupported
}

// AuthURL is where to send the browser. state should be base64url or hex (some
// servers mangle other characters), verifier as oauth2.GenerateVerifier makes it.
// The scopes asked for are the few needed now, always the same: instances then
// skip the consent page for people who already agreed.
func (c *Client) AuthURL(ctx context.Context, app App, state, verifier string) (string, error) {
	return "", errors.ErrUnsupported
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
	return Token{}, errors.ErrUnsupported
}

// Revoke makes the token invalid for every holder. Revoking a token that is
// already invalid is no error.
func (c *Client) Revoke(ctx context.Context, app App, access Secret) error {
	return errors.ErrUnsupported
}

// Account is a person as the instance tells of them.
type Account struct {
	ID          string // opaque; unique on this instance
	Username    string // as the person typed it, without a domain
	Acct        string // the username for local people, user@domain for others
	DisplayName string // text, never HTML; may hold :shortcodes:
	Avatar      string // URL of the still picture
	URL         string // the profile page
	Fields      []Field
	Bot         bool
	Suspended   bool
	Moved       bool
}

// Field is one row of a profile's table.
type Field struct {
	Name  string
	Value string // HTML
}

// Local tells whether the person is of the instance itself.
func (a Account) Local() bool { return false }

// VerifyCredentials asks whose token it is. It is also the check that the person may
// still use the instance: ErrTokenInvalid, ErrAccountDisabled, ErrAccountSuspended,
// ErrAccountMoved and ErrUnconfirmed are answers, ErrDown and *RateLimitError are not.
func (c *Client) VerifyCredentials(ctx context.Context, access Secret) (Account, error) {
	return Account{}, errors.ErrUnsupported
}

// Explain makes ErrAccountDisabled more precise by asking for the public profile of
// accountID: ErrAccountSuspended or ErrAccountMoved. Other errors, and those that
// cannot be made more precise, come back as they are.
func (c *Client) Explain(ctx context.Context, err error, accountID string) error { return err }

// RateLimit is what the instance said of its limits with an answer.
type RateLimit struct {
	Limit     int
	Remaining int
	Reset     time.Time
}

// Page is one page of people.
type Page struct {
	People []Account
	Next   string    // cursor of the next page, "" at the end
	Rate   RateLimit // zero where the instance says nothing
}

// Following is one page (up to 80) of whom accountID follows, newest follow first.
// cursor is "" or the Next of the page before.
func (c *Client) Following(ctx context.Context, access Secret, accountID, cursor string) (Page, error) {
	return Page{}, errors.ErrUnsupported
}

// Relationship is how the token's owner stands to the account ID.
type Relationship struct {
	ID                               string
	Following, FollowedBy, Requested bool
	Blocking, Muting, DomainBlocking bool
}

// Relationships tells of up to any number of ids, in no particular order; unknown
// and suspended accounts may be missing.
func (c *Client) Relationships(ctx context.Context, access Secret, ids []string) ([]Relationship, error) {
	return nil, errors.ErrUnsupported
}

// Instance is the instance's description of itself.
type Instance struct {
	Title   string
	Domain  string // the local domain: the one in handles. May hold a port
	Version string
}

// Instance asks the instance for its description. No token is needed.
func (c *Client) Instance(ctx context.Context) (Instance, error) {
	return Instance{}, errors.ErrUnsupported
}

// XMPPAddress finds a chat address in profile fields: an xmpp: URI (RFC 5122) as a
// link or as text, or a bare address in a field called XMPP or Jabber. The result
// is a normalised bare JID with a localpart.
func XMPPAddress(fields []Field) (jid string, ok bool) { return "", false }

type clientAddrKey struct{}

// WithClientAddr remembers the person's address for Config.ForwardClientAddr.
func WithClientAddr(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(ctx, clientAddrKey{}, addr)
}

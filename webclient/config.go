package webclient

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunkline-chat/trunkline/internal/origin"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// Issuer issues and revokes the passwords that the XMPP server accepts. An error
// with a method RetryAfter() time.Duration is a rate limit.
type Issuer interface {
	IssueTemporary(ctx context.Context, account, session string) (secret string, expires time.Time, err error)
	RevokeSession(ctx context.Context, session, reason string) error

	// EndAccount closes the streams of account and ends what was issued for a
	// browser; device passwords stay. RevokeAccount ends those too.
	EndAccount(ctx context.Context, account, reason string) error
	RevokeAccount(ctx context.Context, account, reason string) error
}

// Importer adds people to the roster of account, as a short XMPP session of that
// person. It calls report once for each index of jids whose fate is known, with
// the status "added", "already" or "failed" and, for "failed", a plain sentence;
// never concurrently. An error means that the rest was not tried; the people
// already reported stay so. Adding somebody who is there already is no error.
type Importer interface {
	AddContacts(ctx context.Context, account string, jids, names []string, subscribe []bool,
		report func(i int, status, reason string) error) error
}

// ConsentWatcher is told what an account's consent is after each change of it was
// committed, by this process or by another that shares the database: soon, in
// order for each account, and sometimes more than once. It returns when live
// streams know.
type ConsentWatcher func(account string, presence, typing, receipts bool)

// Config is what a Server needs. Fields without a default must be set.
type Config struct {
	PublicURL    string // the chat origin, e.g. "https://chat.example.org"; http only on loopback
	InstanceURL  string // the origin of the Mastodon web site
	InstanceName string // what people call the instance; "" is the host of InstanceURL
	LocalDomain  string // the domain in handles
	XMPPDomain   string // the domain in chat addresses; "" is LocalDomain
	WebSocketURL string // the gateway as browsers see it, e.g. "wss://chat.example.org/xmpp-websocket"
	AppName      string // our name at Mastodon; "" is "Trunkline"

	// CrossSite is for a chat origin on another site than the instance: the session
	// cookie is SameSite=None and Partitioned, and a finished login is handed into
	// the panel's frame by a one-time code.
	CrossSite bool

	// Discoverable says that at this XMPP server anybody with a tool can find out
	// that somebody is connected who hides, as at ejabberd: people are told so when
	// they are asked for their consent.
	Discoverable bool

	// DataKeys are 32 bytes each. The first seals, all of them open.
	DataKeys [][]byte

	SessionIdle     time.Duration // 0 is 14 days
	SessionAbsolute time.Duration // 0 is 90 days

	// MediaOrigins are further origins that the panel may load pictures from.
	MediaOrigins []string

	Mastodon       *mastodon.Client
	DB             *sqldb.DB
	Issuer         Issuer
	Importer       Importer
	ConsentChanged ConsentWatcher // may be nil

	Devices   DeviceKeeper // nil: there are no device passwords
	SIPServer string       // the SIP server as phones are told; "": device passwords are for chat apps only

	// Grace is how long device passwords, and panels that are signed in, go on
	// while Mastodon cannot be asked; 0 is 24 hours. StandingEvery is how often
	// Mastodon is asked about people with live streams, about a fifth more or
	// less; 0 is 15 minutes. LiveAccounts are those people; nil is nobody.
	Grace         time.Duration
	StandingEvery time.Duration
	LiveAccounts  func() []string

	// WebhookSecret is what Mastodon signs its webhooks with; empty: there are none.
	WebhookSecret []byte

	// OnUnknownBad is told when a webhook says that a person who has never signed in
	// here is not welcome any more: a front may have let them in with their Mastodon
	// password. username is their name at the instance in lower case, reason the code
	// that people of that standing are told, such as "account_suspended". It must end
	// what is open under that name before it returns; an error makes Mastodon send
	// the webhook again. May be called more than once for the same news. nil: ignored.
	OnUnknownBad func(ctx context.Context, username, reason string) error

	// Recorder is told, after it was committed, that Mastodon's word on an account
	// has changed: op is "standing", outcome the word of accounts.standing, reason who
	// said so, "webhook", "check" or "login". It must not block. May be nil.
	Recorder func(op, username, account, outcome, reason string)

	Metrics prometheus.Registerer // may be nil

	// ClientAddr finds the person's address behind trusted proxies, for instances
	// that take it from us. May be nil.
	ClientAddr func(*http.Request) netip.Addr

	Now  func() time.Time // nil is time.Now
	Rand io.Reader        // nil is crypto/rand
	Log  *slog.Logger     // nil is slog.Default
}

// complete fills in defaults and says what is wrong with the rest.
func (c *Config) complete() error {
	if c.AppName == "" {
		c.AppName = "Trunkline"
	}
	if c.XMPPDomain == "" {
		c.XMPPDomain = c.LocalDomain
	}
	if c.SessionIdle == 0 {
		c.SessionIdle = 14 * 24 * time.Hour
	}
	if c.SessionAbsolute == 0 {
		c.SessionAbsolute = 90 * 24 * time.Hour
	}
	if c.Grace == 0 {
		c.Grace = 24 * time.Hour
	}
	if c.StandingEvery == 0 {
		c.StandingEvery = 15 * time.Minute
	}
	if c.LiveAccounts == nil {
		c.LiveAccounts = func() []string { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return errors.Join(c.checkURLs(), c.checkParts())
}

func (c *Config) checkURLs() error {
	public, err := parseOrigin(c.PublicURL)
	if err != nil {
		return fmt.Errorf("webclient: PublicURL: %w", err)
	}
	if public.Scheme == "http" && !loopback(public.Hostname()) {
		return errors.New("webclient: PublicURL: http is for loopback hosts only")
	}
	if public.Scheme == "http" && c.CrossSite {
		return errors.New("webclient: CrossSite needs a PublicURL with https: browsers take such cookies from nowhere else")
	}
	instance, err := parseOrigin(c.InstanceURL)
	if err != nil {
		return fmt.Errorf("webclient: InstanceURL: %w", err)
	}
	c.PublicURL, c.InstanceURL = public.String(), instance.String()
	if c.InstanceName == "" {
		c.InstanceName = instance.Host
	}
	ws, err := url.Parse(c.WebSocketURL)
	if err != nil || (ws.Scheme != "ws" && ws.Scheme != "wss") || ws.Host == "" {
		return fmt.Errorf("webclient: WebSocketURL: %q is not a ws:// or wss:// URL", c.WebSocketURL)
	}
	c.MediaOrigins = slices.Clone(c.MediaOrigins) // the caller keeps its own
	for i, raw := range c.MediaOrigins {
		media, err := parseOrigin(raw)
		if err != nil {
			return fmt.Errorf("webclient: MediaOrigins: %w", err)
		}
		c.MediaOrigins[i] = media.String()
	}
	return nil
}

func (c *Config) checkParts() error {
	switch {
	case c.LocalDomain == "":
		return errors.New("webclient: LocalDomain is empty")
	case c.Mastodon == nil || c.DB == nil || c.Issuer == nil || c.Importer == nil:
		return errors.New("webclient: Mastodon, DB, Issuer and Importer must be set")
	case c.SessionIdle < 0 || c.SessionAbsolute < 0:
		return errors.New("webclient: session lifetimes must be positive")
	case c.Grace < 0 || c.StandingEvery < 0:
		return errors.New("webclient: Grace and StandingEvery must be positive")
	}
	return nil
}

// parseOrigin parses scheme://host[:port] with nothing behind it but a slash. The
// result is spelt as browsers do.
func parseOrigin(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", raw)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is not an http or https origin", raw)
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
		strings.ContainsAny(u.Host, " ;,'\"") {
		return nil, fmt.Errorf("%q must be an origin: scheme and host, nothing more", raw)
	}
	spelt, err := origin.Of(u)
	if err != nil {
		return nil, fmt.Errorf("%q is not an origin: %w", raw, err)
	}
	return url.Parse(spelt)
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

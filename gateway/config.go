package gateway

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/trunkline-chat/trunkline/gateway/policy"
	"github.com/trunkline-chat/trunkline/internal/origin"
	"mellium.im/xmpp/jid"
)

// Credentials says whose a secret is. Lookup must not mark the secret as used:
// the XMPP server asks for itself a moment later.
type Credentials interface {
	// Lookup names the account, the browser session ("" if none) and the
	// credential that username and secret open. ok is false if there is none;
	// err means that it cannot be told now. What is revoked must be gone from here
	// before the gateway's Close methods are called for it.
	Lookup(ctx context.Context, username, secret string) (account, session, credential string, ok bool, err error)
}

// Consents says what a person agreed to show.
type Consents interface {
	Consent(ctx context.Context, account string) (presence, typing, receipts bool, err error)
}

// Resumptions keeps what a resumed stream needs (XEP-0198), and what it takes to
// end a session that nobody may resume. Keys are hashes of SM ids. A state holds
// the id: it opens nothing without a login as the same person.
type Resumptions interface {
	SaveResumption(ctx context.Context, key []byte, account string, state []byte, expires time.Time) error
	// LoadResumption returns nil, nil if there is none or it has expired.
	LoadResumption(ctx context.Context, key []byte) (state []byte, err error)
	DeleteResumption(ctx context.Context, key []byte) error
	// EachResumption hands over all that have not expired, until an error.
	EachResumption(ctx context.Context, each func(account string, state []byte, expires time.Time) error) error
}

// Issuer makes the secrets with which the gateway itself logs in as a person
// in order to end a session that only the XMPP server still holds.
type Issuer interface {
	IssueInternal(ctx context.Context, account string) (username, secret string, err error)
}

// TLS modes of Upstream.
const (
	TLSAuto          = "auto" // STARTTLS to an Address; without one what DNS offers, direct TLS included
	TLSStart         = "starttls"
	TLSDirect        = "direct"
	TLSPlain         = "plain" // loopback addresses only
	TLSInsecurePlain = "insecure-plain"
)

// Upstream says where the XMPP server is and how it is reached.
type Upstream struct {
	// Address is host:port. Empty means the domain's SRV records (RFC 6120
	// section 3.2, XEP-0368), and then TLS must be auto, starttls or direct.
	Address string
	// TLS is one of the modes above; empty means auto. Certificates are
	// checked against the domain, whatever the address.
	TLS string
	// ProxyProtocol tells the server each browser's address, in a PROXY header
	// (version 2) before everything else.
	ProxyProtocol bool
	// RootCAs replaces the system's certificate authorities.
	RootCAs *x509.CertPool
}

// Config is what New needs. Domain, Credentials and Consents must be given.
type Config struct {
	Domain   string // the one XMPP domain that is served
	Upstream Upstream
	// Origins are the web origins ("https://chat.example.org") whose pages may
	// open a stream. Clients that send no Origin are no browsers and may too.
	Origins []string
	// SeeOtherURL is where Shutdown sends the clients (RFC 7395 section 3.6.1).
	// Empty: they are told system-shutdown and come back by themselves.
	SeeOtherURL string

	Credentials Credentials
	Consents    Consents
	Resumptions Resumptions // nil: streams cannot be resumed
	Issuer      Issuer      // nil: hibernating sessions end by themselves

	// ForbiddenCommands are beginnings of the nodes of ad-hoc commands (XEP-0050)
	// that no browser may run at this domain; nil: policy.Admin.
	ForbiddenCommands []string

	// TrustedProxies may say in X-Forwarded-For whom they speak for.
	TrustedProxies []netip.Prefix
	Limits         Limits

	Now     func() time.Time      // time.Now
	Rand    io.Reader             // crypto/rand
	Log     *slog.Logger          // none
	Metrics prometheus.Registerer // none
}

// complete checks c and fills in the defaults.
func (c Config) complete() (Config, error) {
	domain, err := jid.New("", c.Domain, "")
	if err != nil || c.Domain == "" {
		return c, fmt.Errorf("gateway: domain %q is not an XMPP domain", c.Domain)
	}
	c.Domain = domain.Domainpart()
	if c.Credentials == nil || c.Consents == nil {
		return c, errors.New("gateway: Credentials and Consents are needed")
	}
	if err := c.Upstream.check(); err != nil {
		return c, err
	}
	c.Origins = slices.Clone(c.Origins) // the caller's stay as they are
	for i, o := range c.Origins {
		if c.Origins[i], err = cleanOrigin(o); err != nil {
			return c, err
		}
	}
	if err := checkWebSocketURL(c.SeeOtherURL); err != nil {
		return c, err
	}
	if c.ForbiddenCommands == nil {
		c.ForbiddenCommands = []string{policy.Admin}
	}
	c.Limits = c.Limits.complete()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// check refuses plain TCP to anywhere but this machine, unless the mode spells
// the danger.
func (u Upstream) check() error {
	switch u.TLS {
	case "", TLSAuto, TLSStart, TLSDirect, TLSPlain, TLSInsecurePlain:
	default:
		return fmt.Errorf("gateway: upstream TLS mode %q is unknown", u.TLS)
	}
	plain := u.TLS == TLSPlain || u.TLS == TLSInsecurePlain
	if u.Address == "" {
		if plain {
			return errors.New("gateway: an upstream found by SRV cannot be plain; give its address")
		}
		return nil
	}
	host, _, err := splitAddress(u.Address)
	if err != nil {
		return fmt.Errorf("gateway: upstream address: %w", err)
	}
	if u.TLS == TLSPlain && !isLoopback(host) {
		return fmt.Errorf("gateway: plain TCP to %q would send passwords in the clear; use starttls or direct", host)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// cleanOrigin returns an origin as browsers spell it.
func cleanOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("gateway: origin %q is not like https://chat.example.org", s)
	}
	spelt, err := origin.Of(u)
	if err != nil {
		return "", fmt.Errorf("gateway: origin %q is not like https://chat.example.org: %w", s, err)
	}
	return spelt, nil
}

func checkWebSocketURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "wss" && u.Scheme != "ws") {
		return fmt.Errorf("gateway: %q is not a WebSocket URL", s)
	}
	return nil
}

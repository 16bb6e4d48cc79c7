package mastodon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-mastodon"
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
type Client struct {
	base *url.URL
	http *http.Client
	now  func() time.Time

	strangers, persons allowance // of calls without, and with, a person's token

	mu           sync.Mutex // guards the two below; never held over a request
	endpoints    Endpoints
	discoveredAt time.Time
}

const defaultTimeout = 15 * time.Second

// New checks the configuration. It does not talk to the instance.
func New(cfg Config) (*Client, error) {
	base, err := parseOrigin(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("mastodon: base URL: %w", err)
	}
	c := &Client{base: base, now: cfg.Now}
	// A person's token has a limit of its own; other servers count all together.
	c.strangers.longest, c.persons.longest = maxWait, time.Minute
	if c.now == nil {
		c.now = time.Now
	}
	t := &transport{base: base, forward: cfg.ForwardClientAddr, userAgent: cfg.UserAgent, now: c.now}
	if t.userAgent == "" {
		t.userAgent = "Trunkline"
	}
	timeout := defaultTimeout
	if cfg.HTTP != nil {
		t.next = cfg.HTTP.Transport
		if cfg.HTTP.Timeout > 0 {
			timeout = cfg.HTTP.Timeout
		}
	}
	if t.next == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 8
		own.MaxResponseHeaderBytes = 64 << 10
		t.next = own
	}
	c.http = &http.Client{Transport: t, Timeout: timeout, CheckRedirect: t.checkRedirect}
	return c, nil
}

// parseOrigin takes an absolute http or https URL without anything after the host.
func parseOrigin(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(s, "/"))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL", s)
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return nil, fmt.Errorf("%q does not start with https:// and a host", s)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("%q has more than scheme, host and port", s)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%q: http:// is for loopback hosts only", s)
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback())
}

// BaseURL is the instance's origin, without a trailing slash.
func (c *Client) BaseURL() string { return c.base.String() }

// CloseIdle closes connections that are kept for later calls.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// api is go-mastodon's client for one token, over our transport.
func (c *Client) api(access Secret) *mastodon.Client {
	m := mastodon.NewClient(&mastodon.Config{Server: c.base.String(), AccessToken: string(access)})
	m.Client = *c.http
	return m
}

type clientAddrKey struct{}

// WithClientAddr remembers the person's address for Config.ForwardClientAddr.
func WithClientAddr(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(ctx, clientAddrKey{}, addr)
}

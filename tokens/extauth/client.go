package extauth

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

const (
	// patience is how long a question waits for a service that answered the one
	// before and cannot be reached now: for as long as a restart takes.
	patience = 1500 * time.Millisecond
	// pause is between two tries.
	pause = 50 * time.Millisecond
)

// Client asks the service's private listener, over one connection that it keeps.
// One goroutine may use it.
type Client struct {
	network, address string // of the listener
	host, path       string // of the request
	crypto           *tls.Config
	readSecret       func() (string, error)

	secret   string // as it was read last
	answered bool   // the last question got an answer
	line     *line  // nil if there is none
}

var _ Asker = (*Client)(nil)

// NewClient takes the address of /extauth: http://127.0.0.1:8081/extauth,
// https://host/extauth, or unix:/path/of/the/socket, and the shared secret. Plain
// HTTP is for this machine alone. secret is called when it is needed first, and
// again when the service refuses what it returned. crypto is for https, nil for
// the system's own authorities and no certificate. It connects to nobody yet.
func NewClient(address string, secret func() (string, error), crypto *tls.Config) (*Client, error) {
	if socket, ok := strings.CutPrefix(address, "unix:"); ok {
		if !path.IsAbs(socket) {
			return nil, errors.New("extauth: unix: needs the absolute path of a socket")
		}
		return &Client{network: "unix", address: socket, host: "localhost", path: "/extauth", readSecret: secret}, nil
	}
	u, err := checkURL(address)
	if err != nil {
		return nil, err
	}
	c := &Client{network: "tcp", address: u.Host, host: u.Host, path: u.EscapedPath(), readSecret: secret}
	if c.path == "" {
		c.path = "/"
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
		if c.crypto = crypto.Clone(); c.crypto == nil {
			c.crypto = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if c.crypto.ServerName == "" {
			c.crypto.ServerName = u.Hostname()
		}
	}
	if u.Port() == "" {
		c.address = net.JoinHostPort(u.Hostname(), port)
	}
	return c, nil
}

// checkURL lets passwords leave this machine encrypted only.
func checkURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("extauth: the address must look like http://127.0.0.1:8081/extauth, https://HOST/extauth or unix:/PATH")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("extauth: http:// to another machine would send passwords unencrypted; use https://")
	}
	return u, nil
}

// Close gives the connection up.
func (c *Client) Close() {
	if c.line != nil {
		_ = c.line.conn.Close()
		c.line = nil
	}
}

// errAway means that the service cannot be reached, or went away while it was
// asked.
var errAway = errors.New("extauth: the service does not answer")

// Ask asks one question. A service that is not there is waited for only if it
// answered the question before: so a restart goes unnoticed, and a service that is
// down for long makes nobody wait. Asking twice does no harm.
func (c *Client) Ask(ctx context.Context, op, user, host, secret string) (string, error) {
	body, err := json.Marshal(question{op, user, host, secret})
	if err != nil {
		return "", fmt.Errorf("extauth: %w", err)
	}
	until := time.Now()
	if c.answered {
		until = until.Add(patience)
	}
	for {
		result, err := c.once(ctx, body)
		if err == nil {
			c.answered = true
			return result, nil
		}
		if !errors.Is(err, errAway) || !time.Now().Before(until) || !wait(ctx, pause) {
			c.answered = false
			return "", err
		}
	}
}

// question is what goes to the service.
type question struct {
	Op     string `json:"op"`
	User   string `json:"user"`
	Host   string `json:"host"`
	Secret string `json:"secret,omitempty"`
}

// wait returns whether the time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once asks once, or twice if a connection that was kept turns out to be dead or
// the secret has changed.
func (c *Client) once(ctx context.Context, body []byte) (string, error) {
	kept := c.line != nil
	status, text, err := c.exchange(ctx, body)
	if err != nil && kept && ctx.Err() == nil {
		status, text, err = c.exchange(ctx, body)
	}
	if err == nil && status == http.StatusUnauthorized {
		old := c.secret
		c.secret = ""
		if fresh, readErr := c.currentSecret(); readErr != nil {
			return "", readErr
		} else if fresh != old {
			status, text, err = c.exchange(ctx, body)
		}
	}
	switch {
	case err != nil:
		return "", err
	case status == http.StatusUnauthorized:
		return "", errors.New("extauth: the service refused our secret: it is not the one in secrets.extauth_secret")
	case status == http.StatusNotFound:
		return "", errors.New("extauth: the service knows no such address: secrets.extauth_secret is not set, or the URL is wrong")
	case status != http.StatusOK:
		return "", fmt.Errorf("extauth: the service answered with the status %d", status)
	}
	return parseReply(text)
}

// currentSecret reads the secret if it is not known.
func (c *Client) currentSecret() (string, error) {
	if c.secret != "" {
		return c.secret, nil
	}
	secret, err := c.readSecret()
	if err != nil {
		return "", err
	}
	// It becomes a part of a header.
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("extauth: the shared secret must be printable ASCII without spaces")
	}
	c.secret = secret
	return secret, nil
}

// parseReply reads the service's answer.
func parseReply(text []byte) (string, error) {
	var reply struct{ Result string }
	if err := json.Unmarshal(text, &reply); err != nil {
		return "", errors.New("extauth: what answered is not Trunkline")
	}
	switch reply.Result {
	case "yes", "no", "unknown":
		return reply.Result, nil
	}
	return "", errors.New("extauth: what answered is not Trunkline")
}

package extauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a question waits for a service that answered the one
	// before and cannot be reached now: for as long as a restart takes.
	patience = 1500 * time.Millisecond
	// pause is between two tries.
	pause = 50 * time.Millisecond

	maxReply = 4 << 10
)

// Client asks the service's private listener.
type Client struct {
	url    string
	secret func() (string, error)
	http   *http.Client

	// answered says that the last question got an answer.
	answered atomic.Bool
}

var _ Asker = (*Client)(nil)

// NewClient takes the address of /extauth: http://127.0.0.1:8081/extauth,
// https://host/extauth, or unix:/path/of/the/socket, and the shared secret. Plain
// HTTP is for this machine alone. secret is called for each question, so that it
// may change. crypto is for https, nil for the system's own authorities and no
// certificate. It connects to nobody yet.
func NewClient(address string, secret func() (string, error), crypto *tls.Config) (*Client, error) {
	transport := &http.Transport{
		MaxIdleConns: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: Deadline, DisableCompression: true,
		TLSClientConfig: crypto, ForceAttemptHTTP2: false,
	}
	var d net.Dialer
	if socket, ok := strings.CutPrefix(address, "unix:"); ok {
		if !path.IsAbs(socket) {
			return nil, errors.New("extauth: unix: needs the absolute path of a socket")
		}
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		}
		address = "http://localhost/extauth"
	} else if err := checkURL(address); err != nil {
		return nil, err
	} else {
		transport.DialContext = d.DialContext
	}
	return &Client{url: address, secret: secret, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// checkURL lets passwords leave this machine encrypted only.
func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" {
		return errors.New("extauth: the address must look like http://127.0.0.1:8081/extauth, https://HOST/extauth or unix:/PATH")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("extauth: http:// to another machine would send passwords unencrypted; use https://")
	}
	return nil
}

// Close gives the connection up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ask asks one question. A service that is not there is waited for only if it
// answered the question before: so a restart goes unnoticed, and a service that is
// down for long makes nobody wait.
func (c *Client) Ask(ctx context.Context, op, user, host, secret string) (string, error) {
	body, err := json.Marshal(map[string]string{"op": op, "user": user, "host": host, "secret": secret})
	if err != nil {
		return "", fmt.Errorf("extauth: %w", err)
	}
	until := time.Now()
	if c.answered.Load() {
		until = until.Add(patience)
	}
	for {
		result, err := c.once(ctx, body)
		if err == nil {
			c.answered.Store(true)
			return result, nil
		}
		var away *url.Error // what net/http says of a service that did not answer
		if !errors.As(err, &away) || !time.Now().Before(until) || !wait(ctx, pause) {
			c.answered.Store(false)
			return "", err
		}
	}
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

func (c *Client) once(ctx context.Context, body []byte) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("extauth: %w", err)
	}
	secret, err := c.secret()
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	// Asking twice does no harm: net/http may ask again when the connection that it
	// kept has ended meanwhile. The header itself is not sent.
	r.Header["Idempotency-Key"] = nil
	answer, err := c.http.Do(r)
	if err != nil {
		return "", fmt.Errorf("extauth: ask: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	switch {
	case err != nil:
		return "", fmt.Errorf("extauth: ask: %w", err)
	case answer.StatusCode == http.StatusUnauthorized:
		return "", errors.New("extauth: the service refused our secret: it is not the one in secrets.extauth_secret")
	case answer.StatusCode == http.StatusNotFound:
		return "", errors.New("extauth: the service knows no such address: secrets.extauth_secret is not set, or the URL is wrong")
	case answer.StatusCode != http.StatusOK:
		return "", fmt.Errorf("extauth: the service answered %s", answer.Status)
	}
	return parseReply(text)
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

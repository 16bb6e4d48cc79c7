// Package kick ends sessions at an ejabberd over its HTTP API (mod_http_api).
//
// Promises: Kick ends every session of one person but those that are to be
// spared, hibernating ones (XEP-0198) too, so that they cannot be resumed; it
// calls user_resources and kick_session, and nothing else. Any goroutine may
// call it. The password of the account that it uses is in no log and no error.
//
// What it cannot do: ejabberd does not know which password a session was opened
// with. All of a person's sessions end, and those apps that have a good password
// come back by themselves.
//
// It starts no goroutine.
package kick

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ErrRefused means that ejabberd will not do it however often it is asked: the
// request itself is wrong. Any other error may pass.
var ErrRefused = errors.New("kick: ejabberd refused the request")

// maxReply bounds what is read of an answer: a person has some sessions.
const maxReply = 1 << 20

// Config is what a Kicker needs. URL, User, Password and Domain are required.
type Config struct {
	// URL is where mod_http_api is, such as http://127.0.0.1:5280/api. Plain HTTP is
	// for this machine alone.
	URL string

	// User is the bare JID of the account that may call the two commands, and
	// Password its password.
	User, Password string

	Domain string       // the domain of the people
	HTTP   *http.Client // nil: one of its own
	Log    *slog.Logger // nil: none
}

// Kicker ends sessions.
type Kicker struct {
	url, user, password, domain string
	http                        *http.Client
	log                         *slog.Logger
}

// New checks the configuration. It connects to nobody.
func New(c Config) (*Kicker, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("kick: the URL must look like http://127.0.0.1:5280/api")
	}
	ip := net.ParseIP(u.Hostname())
	switch {
	case u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()):
		return nil, errors.New("kick: http:// to another machine would send the password unencrypted; use https://")
	case c.Domain == "":
		return nil, errors.New("kick: the domain is missing")
	case !strings.Contains(c.User, "@"):
		return nil, errors.New("kick: the user must be a whole address, such as trunkline@localhost")
	case c.Password == "":
		return nil, errors.New("kick: the password is missing")
	}
	k := &Kicker{
		url: strings.TrimRight(c.URL, "/"), user: c.User, password: c.Password, domain: c.Domain, http: c.HTTP, log: c.Log,
	}
	if k.http == nil {
		k.http = &http.Client{}
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	return k, nil
}

// Kick ends this person's sessions, but for the resources to spare, and returns
// how many it ended. The reason is a plain sentence; the person's app may show
// it. Calling it again is harmless, and after an error it may have ended some.
func (k *Kicker) Kick(ctx context.Context, username, reason string, spare []string) (ended int, err error) {
	who := map[string]string{"user": username, "host": k.domain}
	var resources []string
	if err := k.call(ctx, "user_resources", who, &resources); err != nil {
		return 0, err
	}
	for _, resource := range resources {
		if slices.Contains(spare, resource) {
			continue
		}
		args := map[string]string{"user": username, "host": k.domain, "resource": resource, "reason": reason}
		if err := k.call(ctx, "kick_session", args, nil); err != nil {
			return ended, err
		}
		ended++
	}
	if ended > 0 {
		k.log.InfoContext(ctx, "kick: sessions ended at ejabberd", "user", username, "sessions", ended, "reason", reason)
	}
	return ended, nil
}

// call runs one command of ejabberd and reads its answer into reply, if any.
func (k *Kicker) call(ctx context.Context, command string, args map[string]string, reply any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("kick: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url+"/"+command, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("kick: %w", err)
	}
	r.SetBasicAuth(k.user, k.password)
	r.Header.Set("Content-Type", "application/json")
	r.Header["Idempotency-Key"] = nil // asking twice does no harm; not sent
	answer, err := k.http.Do(r)
	if err != nil {
		return fmt.Errorf("kick: %s: %w", command, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return fmt.Errorf("kick: %s: %w", command, err)
	}
	if err := refusal(command, answer.StatusCode); err != nil {
		return err
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(text, reply); err != nil {
		return fmt.Errorf("kick: %s: the answer is not that of ejabberd's mod_http_api", command)
	}
	return nil
}

// refusal says what a status means, and what to do about it.
func refusal(command string, status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusBadRequest:
		return fmt.Errorf("%w: %s", ErrRefused, command)
	case http.StatusUnauthorized:
		return fmt.Errorf("kick: %s: ejabberd does not know the user or the password: see ejabberd.api_user and secrets.ejabberd_password", command)
	case http.StatusForbidden:
		return fmt.Errorf("kick: %s: the user may not call it: api_permissions in ejabberd.yml must allow user_resources and kick_session", command)
	case http.StatusNotFound:
		return fmt.Errorf("kick: %s: there is no such command at ejabberd.api_url: it needs mod_http_api and mod_admin_extra", command)
	}
	return fmt.Errorf("kick: %s: ejabberd answered %d", command, status)
}

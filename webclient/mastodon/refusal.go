package mastodon

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// refusal reads an answer that is neither 2xx nor 429.
func refusal(cl *call, status int, body []byte) *Error {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	isJSON := json.Unmarshal(body, &said) == nil
	e := &Error{Op: cl.op, Status: status, Detail: clean(said.Description, cl.secrets)}
	if e.Detail == "" {
		e.Detail = clean(said.Error, cl.secrets)
	}
	if isOAuthCode(said.Error) && clean(said.Error, cl.secrets) == said.Error {
		e.Code = said.Error
	}
	switch {
	case status >= 500:
		e.Kind = ErrDown
	case !isJSON: // a proxy, a firewall, a parked domain: its status says nothing of the person
		e.Kind, e.Detail = ErrNotMastodon, "not JSON"
	case cl.realm == realmToken:
		e.Kind = tokenKind(status, e.Code)
	case cl.realm == realmClient:
		e.Kind = clientKind(status, e.Code)
	case cl.realm == realmPublic:
		e.Kind = publicKind(status)
	default:
		e.Kind = apiKind(status, said.Error)
	}
	return e
}

// apiKind reads the refusal of an API call with a person's token.
// Base-controller texts are English in every release; only 403 needs them.
func apiKind(status int, text string) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrTokenInvalid
	case http.StatusForbidden:
		switch {
		case strings.Contains(text, "authorized scopes"), text == "insufficient_scope":
			return ErrScope
		case strings.Contains(text, "confirmed e-mail"), strings.Contains(text, "pending approval"):
			return ErrUnconfirmed
		}
		return ErrAccountDisabled
	case http.StatusUnprocessableEntity: // all our calls are GET: the token is an app's own
		return ErrTokenInvalid
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	}
	return ErrRefused
}

// tokenKind reads the refusal of a code exchange (RFC 6749 section 5.2). Some servers
// give no usable code, so 400 is the grant's fault unless the code says otherwise.
func tokenKind(status int, code string) error {
	switch {
	case code == "invalid_client", code == "unauthorized_client", status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrBadClient
	case code == "invalid_scope":
		return ErrScope
	case status == http.StatusBadRequest:
		return ErrInvalidGrant
	case status == http.StatusNotFound:
		return ErrNotMastodon
	}
	return ErrRefused
}

// clientKind reads the refusal of a registration or revocation.
func clientKind(status int, code string) error {
	switch {
	case code == "invalid_client", status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrBadClient
	case status == http.StatusNotFound:
		return ErrNotMastodon
	}
	return ErrRefused
}

func isOAuthCode(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

const maxDetail = 200

// clean makes a text from outside fit for an error and a log line: printable, bounded,
// and without any of secrets.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, redacted)
			s = strings.ReplaceAll(s, url.QueryEscape(secret), redacted)
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}), " ")
	for _, secret := range secrets { // cleaning may have put one together
		if secret != "" {
			s = strings.ReplaceAll(s, secret, redacted)
		}
	}
	if r := []rune(s); len(r) > maxDetail {
		s = string(r[:maxDetail]) + "…"
	}
	return s
}

const (
	defaultWait = time.Minute
	maxWait     = 15 * time.Minute // the longest window Mastodon has
)

// retryAfter is how long to wait after a 429. Mastodon and GoToSocial send no
// Retry-After but the time of the reset, in ISO 8601; others a Unix time. The
// answer's Date, where there is one, spares us the difference between two clocks.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	wait := defaultWait
	if s := h.Get("Retry-After"); s != "" {
		if n, err := strconv.Atoi(s); err == nil {
			wait = time.Duration(min(max(n, 0), 1<<20)) * time.Second
		} else if at, err := http.ParseTime(s); err == nil {
			wait = at.Sub(now)
		}
	} else if reset := resetTime(h); !reset.IsZero() {
		wait = reset.Sub(now)
	}
	return min(max(wait, time.Second), maxWait)
}

func resetTime(h http.Header) time.Time {
	s := h.Get("X-RateLimit-Reset")
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 1_000_000_000 && n < 1<<34 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// rateLimit is what an answer says of the limits it counted against.
func rateLimit(h http.Header) RateLimit {
	limit, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if err != nil || limit <= 0 {
		return RateLimit{}
	}
	left, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if err != nil {
		return RateLimit{}
	}
	return RateLimit{Limit: limit, Remaining: max(left, 0), Reset: resetTime(h)}
}

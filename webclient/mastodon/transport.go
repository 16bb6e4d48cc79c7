package mastodon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds an answer. A page of 80 people with long notes and many custom
// emoji is well under 1 MiB.
const maxBody = 4 << 20

// realm says how refusals are to be read.
type realm int

const (
	realmAPI    realm = iota // a person's token is at stake
	realmToken               // the code is
	realmClient              // our app registration is
	realmPublic              // nothing: anybody may ask
)

// call is one request as this package sees it, carried through the libraries in the
// context: what it is for, what must not show in errors, and what came back.
type call struct {
	op       string
	realm    realm
	secrets  []string
	endpoint string // replaces the URL that the library chose

	header http.Header
	body   []byte
}

type callKey struct{}

func (cl *call) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, callKey{}, cl)
}

// transport stands under the libraries: it adds what they leave out, reads answers
// within bounds, and turns every one that is not a good JSON answer into an error of
// this package. So no library retries a 429, decodes HTML or hides a status.
type transport struct {
	base      *url.URL
	next      http.RoundTripper
	userAgent string
	forward   bool
	now       func() time.Time
}

var _ http.RoundTripper = (*transport)(nil)

// CloseIdleConnections is found by http.Client.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip makes one request. See transport.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	cl, _ := r.Context().Value(callKey{}).(*call)
	if cl == nil {
		return nil, errors.New("mastodon: request without a call")
	}
	out, err := t.outgoing(r, cl)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	res, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if isRedirect(res) {
		res.Body = http.NoBody
		return res, nil // checkRedirect decides
	}
	cl.header = res.Header
	if err := t.judge(cl, res, body); err != nil {
		return nil, err
	}
	cl.body = body
	// Both libraries are particular about these two, and JSON it is by now.
	res.StatusCode = http.StatusOK
	res.Header.Set("Content-Type", "application/json")
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

func isRedirect(res *http.Response) bool {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return res.Header.Get("Location") != ""
	}
	return false
}

// outgoing is the request as it is sent.
func (t *transport) outgoing(r *http.Request, cl *call) (*http.Request, error) {
	out := r.Clone(r.Context())
	if cl.endpoint != "" && out.Response == nil { // not when following a redirect
		u, err := url.Parse(cl.endpoint)
		if err != nil {
			return nil, err
		}
		out.URL, out.Host = u, ""
	}
	if !sameOrigin(out.URL, t.base) {
		return nil, &Error{Op: cl.op, Kind: ErrNotMastodon, Detail: "a request would go to another origin"}
	}
	h := out.Header
	h.Set("User-Agent", t.userAgent)
	h.Set("Accept", "application/json")
	h.Set("Accept-Language", "en") // 403 texts are told apart, where status is not enough
	if strings.TrimSpace(h.Get("Authorization")) == "Bearer" {
		h.Del("Authorization")
	}
	if addr, ok := r.Context().Value(clientAddrKey{}).(netip.Addr); ok && t.forward && addr.IsValid() {
		h.Set("X-Forwarded-For", addr.Unmap().String())
	}
	return out, nil
}

// judge is nil for a 2xx answer in JSON.
func (t *transport) judge(cl *call, res *http.Response, body []byte) error {
	if len(body) > maxBody {
		return &Error{Op: cl.op, Kind: ErrNotMastodon, Status: res.StatusCode, Detail: "the answer is too long"}
	}
	if res.StatusCode == http.StatusTooManyRequests {
		return &RateLimitError{Op: cl.op, Wait: retryAfter(res.Header, t.now())}
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return refusal(cl, res.StatusCode, body)
	}
	if !json.Valid(body) {
		kind := res.Header.Get("Content-Type")
		return &Error{Op: cl.op, Kind: ErrNotMastodon, Status: res.StatusCode, Detail: clean("not JSON, but "+kind, cl.secrets)}
	}
	return nil
}

// checkRedirect follows GET redirects within the origin, and no others.
func (t *transport) checkRedirect(r *http.Request, via []*http.Request) error {
	cl, _ := r.Context().Value(callKey{}).(*call)
	e := &Error{Kind: ErrNotMastodon}
	if cl != nil {
		e.Op = cl.op
	}
	switch {
	case !sameOrigin(r.URL, t.base):
		e.Detail = "redirected to another origin, " + clean(r.URL.Scheme+"://"+r.URL.Host, nil)
	case via[0].Method != http.MethodGet:
		e.Detail = "a " + via[0].Method + " was redirected"
	case len(via) > 3:
		e.Detail = "redirected too often"
	default:
		return nil
	}
	return e
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b) && a.User == nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}

// finish makes an error of this package out of what a library returned.
func (cl *call) finish(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var ours *Error
	var limited *RateLimitError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &limited):
		return limited
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Op: cl.op, Kind: ctx.Err()}
	}
	e := &Error{Op: cl.op, Kind: ErrDown, cause: ctx.Err()}
	var wrapped *url.Error
	switch {
	case cl.body != nil: // an answer came, and is JSON of another shape
		e.Kind, e.Detail = ErrNotMastodon, "JSON of an unexpected shape"
	case errors.As(err, &wrapped) && wrapped.Timeout():
		e.Detail = "no answer in time"
	case wrapped != nil: // without the URL, which says nothing new
		e.Detail = clean(wrapped.Err.Error(), cl.secrets)
	default:
		e.Detail = clean(err.Error(), cl.secrets)
	}
	return e
}

package webclient

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// beginLogin is GET /auth/login?mode=popup|redirect&return=URL: it remembers the
// login and sends the browser to Mastodon, with a fresh state for every click.
func (s *Server) beginLogin(w http.ResponseWriter, r *http.Request) error {
	p := pending{mode: r.URL.Query().Get("mode"), returnTo: s.returnAddress(r.URL.Query().Get("return"))}
	if p.mode != modeRedirect {
		p.mode = modePopup
	}
	target, err := s.prepareLogin(w, r, p)
	if err != nil {
		s.failLogin(w, r, p, err)
		return nil
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

func (s *Server) prepareLogin(w http.ResponseWriter, r *http.Request, p pending) (string, error) {
	if s.cfg.CrossSite && p.mode == modeRedirect {
		// The frame's cookies are another partition's than those of a page at the
		// top: only a popup can hand the login over.
		return "", failed(codePopup, nil)
	}
	if !s.logins.allow(s.clientAddr(r), s.cfg.Now()) {
		return "", failed(codeBusy, errors.New("too many logins at once"))
	}
	ctx := s.withClientAddr(r)
	app, err := s.app(ctx)
	if err != nil {
		return "", err
	}
	browser, err := s.browser(w, r)
	if err != nil {
		return "", err
	}
	state, verifier, err := s.remember(ctx, browser, p.mode, p.returnTo)
	if err != nil {
		return "", err
	}
	return s.cfg.Mastodon.AuthURL(ctx, app, state, verifier)
}

// clientAddr is the person's address, the zero value where it is not known.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	if s.cfg.ClientAddr == nil {
		peer, _ := netip.ParseAddrPort(r.RemoteAddr)
		return peer.Addr().Unmap()
	}
	return s.cfg.ClientAddr(r)
}

// withClientAddr lets the Mastodon client tell the person's address where the
// instance trusts us with it.
func (s *Server) withClientAddr(r *http.Request) context.Context {
	return mastodon.WithClientAddr(r.Context(), s.clientAddr(r))
}

// returnAddress is where a redirect login comes back to: raw if it is a page of
// the instance, else the instance's front page.
func (s *Server) returnAddress(raw string) string {
	if address, ok := pageOf(s.instance, raw); ok {
		return address
	}
	return s.cfg.InstanceURL + "/"
}

const maxReturnAddress = 2048

// pageOf takes raw if it is an absolute URL of origin's scheme, host and port, and
// returns it without its fragment, in one canonical spelling.
func pageOf(origin *url.URL, raw string) (string, bool) {
	// Browsers read backslashes as slashes and drop control characters; a URL with
	// either means something else to them than to us (WHATWG URL section 4.4).
	odd := func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }
	if raw == "" || len(raw) > maxReturnAddress || strings.ContainsFunc(raw, odd) {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil {
		return "", false
	}
	if u.Scheme != origin.Scheme || !strings.EqualFold(u.Host, origin.Host) {
		return "", false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if !strings.HasPrefix(path, "/") {
		return "", false
	}
	address := origin.String() + path
	if u.RawQuery != "" {
		address += "?" + u.RawQuery
	}
	return address, true
}

// failLogin logs how a login ended and shows it: in the popup's last page, or back
// at the person's page with the code in the fragment. A zero p is a login that we
// do not know.
func (s *Server) failLogin(w http.ResponseWriter, r *http.Request, p pending, err error) {
	code := loginCode(err)
	outcome := loginOutcomes[code]
	s.cfg.Log.Log(r.Context(), outcome.level, "login failed", "code", code, "mode", p.mode, "error", err)
	if p.mode == modeRedirect {
		http.Redirect(w, r, p.returnTo+"#trunkline-error="+code, http.StatusSeeOther)
		return
	}
	again := url.Values{"mode": {modePopup}, "return": {p.returnTo}}
	s.pages.callback(w, callbackPage{Result: code, Message: outcome.message,
		Again: "/auth/login?" + again.Encode()})
}

// finishLogin shows that a login worked. code is the hand-off for a popup of
// another site's panel, or "".
func (s *Server) finishLogin(w http.ResponseWriter, r *http.Request, p pending, code string) {
	if p.mode == modeRedirect {
		http.Redirect(w, r, p.returnTo+"#trunkline", http.StatusSeeOther)
		return
	}
	s.pages.callback(w, callbackPage{Result: "ok", Handoff: code,
		Message: "You are signed in. You can close this window."})
}

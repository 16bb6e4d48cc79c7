package mastodontest

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// login is one browser's session, signed in or on the way there.
type login struct {
	user     string // local username, "" before signing in
	csrf     string
	returnTo string

	// GoToSocial keeps the authorisation request in the session, for two minutes.
	form   url.Values
	formAt time.Time
	formOK bool // signed in for this form
}

const (
	cookieName = "_mastodon_session"
	gtsFormTTL = 2 * time.Minute
)

// browser is the session of r, made if there is none. The lock must be held.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) (string, *login) {
	if c, err := r.Cookie(cookieName); err == nil && s.logins[c.Value] != nil {
		return c.Value, s.logins[c.Value]
	}
	return s.renew(w, r, &login{})
}

// renew gives l a fresh session id.
func (s *Server) renew(w http.ResponseWriter, r *http.Request, l *login) (string, *login) {
	id := s.token(24)
	l.csrf = s.token(24)
	s.logins[id] = l
	secure := strings.HasPrefix(s.origin(r), "https:")
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure})
	return id, l
}

// session is the session of r if it is signed in, else nil.
func (s *Server) session(r *http.Request) *login {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	if l := s.logins[c.Value]; l != nil && l.user != "" {
		return l
	}
	return nil
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.session(r); l != nil && !s.gts() {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	_, l := s.browser(w, r)
	s.page(w, r, http.StatusOK, "signin", pageData{Heading: "Log in to " + s.opt.Domain, CSRF: l.csrf})
}

// signIn takes user[email] and user[password] (username and password too, as
// GoToSocial has it). The address may be the bare name.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	form := s.params(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	id, l := s.browser(w, r)
	if form.Get("authenticity_token") != l.csrf {
		s.page(w, r, http.StatusUnprocessableEntity, "notice", pageData{Heading: "Security verification failed", Text: "Are you blocking cookies? Go back and try again."})
		return
	}
	who := form.Get("user[email]") + form.Get("username")
	name, _, _ := strings.Cut(strings.TrimSpace(who), "@")
	p := s.people.local(name)
	if p == nil || form.Get("user[password]")+form.Get("password") != Password {
		s.page(w, r, http.StatusUnprocessableEntity, "signin", pageData{
			Heading: "Log in to " + s.opt.Domain, CSRF: l.csrf, Name: who, Alert: "Invalid E-mail address or password.",
		})
		return
	}
	s.counts.SignIns++
	next := *l
	next.user, next.returnTo = p.username, ""
	if s.gts() && l.form != nil {
		next.formOK, l.returnTo = true, "/oauth/authorize"
	}
	delete(s.logins, id)
	s.renew(w, r, &next)
	if l.returnTo == "" {
		l.returnTo = "/"
	}
	http.Redirect(w, r, l.returnTo, http.StatusFound)
}

// signOut ends the session. The web app asks for it with DELETE and JSON, as
// Mastodon's does; other pages with a form.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.session(r); l != nil {
		sent := r.Header.Get("X-CSRF-Token")
		if sent == "" {
			sent = s.params(w, r).Get("authenticity_token")
		}
		if sent != l.csrf {
			apiError(w, http.StatusUnprocessableEntity, "Can't verify CSRF token authenticity.")
			return
		}
		c, _ := r.Cookie(cookieName)
		delete(s.logins, c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, http.StatusOK, map[string]string{"redirect_to": "/auth/sign_in"})
		return
	}
	http.Redirect(w, r, "/auth/sign_in", http.StatusSeeOther)
}

// editPage is where people go who may not use the instance as it is.
func (s *Server) editPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.session(r)
	if l == nil {
		http.Redirect(w, r, "/auth/sign_in", http.StatusFound)
		return
	}
	texts := map[State]string{
		Active: "Your account is fully operational.", Suspended: "Your account has been suspended.",
		Disabled: "Your login is currently disabled.", Moved: "Your account is inactive because it is currently redirecting to another account.",
		Unconfirmed: "You need to confirm your e-mail address.", Pending: "Your application is pending review by our staff.",
	}
	s.page(w, r, http.StatusOK, "notice", pageData{Heading: "Account settings", Text: texts[s.people.local(l.user).state], CSRF: l.csrf, SignOut: true})
}

package mastodontest

import (
	"net/http"
	"net/url"
	"slices"
)

// authorize is GET /oauth/authorize.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, l := s.browser(w, r)
	if s.gts() {
		s.authorizeGTS(w, r, id, l)
		return
	}
	form := r.URL.Query()
	if l.user == "" {
		l.returnTo = r.URL.RequestURI()
		http.Redirect(w, r, "/auth/sign_in", http.StatusFound)
		return
	}
	if p := s.people.local(l.user); p.state != Active { // require_functional!
		http.Redirect(w, r, "/auth/edit", http.StatusFound)
		return
	}
	q := s.judge(form)
	switch {
	case q.page != "":
		s.page(w, r, q.status, "notice", pageData{Heading: "An error has occurred", Text: q.page})
	case q.problem != "":
		http.Redirect(w, r, q.backError(q.problem), http.StatusFound)
	case form.Get("force_login") != "true" && s.oauth.matching(q.app.ID, l.user, q.scopes) != nil:
		http.Redirect(w, r, s.approve(q, l.user), http.StatusFound) // they agreed before
	default:
		s.allowPage(w, r, id, l, q)
	}
}

// authorizeGTS keeps the request in the session: a second one within two minutes
// finds the first, state and all. Password and Allow are asked for each time.
func (s *Server) authorizeGTS(w http.ResponseWriter, r *http.Request, id string, l *login) {
	fresh := r.URL.Query()
	expired := l.form != nil && s.now().Sub(l.formAt) > gtsFormTTL
	if len(fresh) == 0 && (l.form == nil || expired) {
		s.page(w, r, http.StatusInternalServerError, "notice", pageData{Heading: "An error occurred:", Text: "Internal Server Error: session not found"})
		return
	}
	if l.form == nil || expired {
		if q := s.judge(fresh); q.page != "" {
			s.page(w, r, q.status, "notice", pageData{Heading: "An error occurred:", Text: q.page})
			return
		}
		l.form, l.formAt, l.formOK = fresh, s.now(), false
	}
	w.Header().Set("Cache-Control", "private, max-age=120")
	if !l.formOK {
		http.Redirect(w, r, "/auth/sign_in", http.StatusSeeOther)
		return
	}
	q := s.judge(l.form)
	if q.problem != "" {
		l.form = nil
		http.Redirect(w, r, q.backError(q.problem), http.StatusFound)
		return
	}
	s.allowPage(w, r, id, l, q)
}

var scopeTexts = map[string]string{
	"profile":       "Read only your account's profile information",
	"read:accounts": "See accounts information",
	"read:follows":  "See your follows",
	"read:blocks":   "See your blocks",
	"read:mutes":    "See your mutes",
	"write:reports": "Report other people",
	"read":          "Read all your account's data",
}

func (s *Server) allowPage(w http.ResponseWriter, r *http.Request, id string, l *login, q request) {
	s.oauth.shown[id+q.form.Get("state")] = true
	d := pageData{
		Heading: "Authorization required", CSRF: l.csrf, App: q.app.Name, Website: q.app.Website,
		User: s.people.local(l.user), Deny: !s.gts(), Form: map[string]string{},
	}
	for _, sc := range q.scopes {
		text := scopeTexts[sc]
		if text == "" {
			text = sc
		}
		d.Scopes = append(d.Scopes, scopeText{sc, text})
	}
	for _, k := range []string{"client_id", "redirect_uri", "state", "response_type", "scope", "code_challenge", "code_challenge_method"} {
		if q.form.Has(k) {
			d.Form[k] = q.form.Get(k)
		}
	}
	s.page(w, r, http.StatusOK, "allow", d)
}

// decide is what the Allow and Deny buttons send.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	form := s.params(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	id, l := s.browser(w, r)
	if s.gts() {
		if l.form == nil || !l.formOK || s.now().Sub(l.formAt) > gtsFormTTL {
			s.page(w, r, http.StatusInternalServerError, "notice", pageData{Heading: "An error occurred:", Text: "Internal Server Error: session not found"})
			return
		}
		form.Del("_method")
		form = mergeForm(l.form, form.Get("authenticity_token"))
	}
	if l.user == "" || form.Get("authenticity_token") != l.csrf {
		s.page(w, r, http.StatusUnprocessableEntity, "notice", pageData{Heading: "Security verification failed", Text: "Are you blocking cookies? Go back and try again."})
		return
	}
	q := s.judge(form)
	delete(s.oauth.shown, id+form.Get("state"))
	var to string
	switch {
	case q.page != "":
		s.page(w, r, q.status, "notice", pageData{Heading: "An error has occurred", Text: q.page})
		return
	case q.problem != "":
		to = q.backError(q.problem)
	case form.Get("_method") == "delete":
		s.counts.Denied++
		to = q.backError("access_denied")
	default:
		to = s.approve(q, l.user)
	}
	if s.gts() { // the whole session goes, the web app's stays ours
		l.form, l.formOK = nil, false
	}
	http.Redirect(w, r, to, http.StatusFound)
}

func mergeForm(kept url.Values, csrf string) url.Values {
	vs := url.Values{}
	for k, v := range kept {
		vs[k] = slices.Clone(v)
	}
	vs.Set("authenticity_token", csrf)
	return vs
}

package mastodontest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// caller is who a request speaks for, or the answer why not has been written.
// needUser is Mastodon's require_user!: a frozen or moved person fails it, while
// endpoints without it still serve them. The lock must be held.
func (s *Server) caller(w http.ResponseWriter, r *http.Request, needUser bool, scopes ...string) *person {
	t := s.oauth.Tokens[bearer(r)]
	if t == nil || t.Revoked {
		if s.gts() {
			apiError(w, http.StatusUnauthorized, "Unauthorized: token not supplied or invalid")
		} else {
			invalidToken(w, t)
		}
		return nil
	}
	p := s.people.local(t.User)
	if s.gts() {
		if p == nil || (p.state != Active && p.state != Moved) {
			apiError(w, http.StatusUnauthorized, "Unauthorized: token not supplied or invalid")
			return nil
		}
	} else if !s.mayCall(w, p, needUser) {
		return nil
	}
	if !covers(t.Scopes, scopes) {
		apiError(w, http.StatusForbidden, "This action is outside the authorized scopes")
		return nil
	}
	return p
}

func (s *Server) mayCall(w http.ResponseWriter, p *person, needUser bool) bool {
	const disabled = "Your login is currently disabled"
	switch {
	case p == nil:
		apiError(w, http.StatusUnprocessableEntity, "This method requires an authenticated user")
	case p.state == Suspended, p.state == Deleted:
		apiError(w, http.StatusForbidden, disabled)
	case !needUser || p.state == Active:
		return true
	case p.state == Unconfirmed:
		apiError(w, http.StatusForbidden, "Your login is missing a confirmed e-mail address")
	case p.state == Pending:
		apiError(w, http.StatusForbidden, "Your login is currently pending approval")
	default: // disabled, moved
		apiError(w, http.StatusForbidden, disabled)
	}
	return false
}

// covers tells whether any of want is granted, itself or by its parent ("read").
func covers(granted, want []string) bool {
	for _, sc := range want {
		parent, _, _ := strings.Cut(sc, ":")
		if slices.Contains(granted, sc) || slices.Contains(granted, parent) {
			return true
		}
	}
	return len(want) == 0
}

func invalidToken(w http.ResponseWriter, t *token) {
	text := "The access token is invalid"
	if t != nil {
		text = "The access token was revoked"
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="Doorkeeper", error="invalid_token", error_description="`+text+`"`)
	apiError(w, http.StatusUnauthorized, text)
}

func (s *Server) notFound(w http.ResponseWriter) {
	text := "Record not found"
	if s.gts() {
		text = "Not Found"
	}
	apiError(w, http.StatusNotFound, text)
}

func (s *Server) noRoute(w http.ResponseWriter, _ *http.Request) { s.notFound(w) }

func (s *Server) verifyCredentials(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.caller(w, r, true, s.identityScopes()...)
	if p == nil {
		return
	}
	m := s.accountEntity(s.origin(r), p)
	m["source"] = map[string]any{"privacy": "public", "sensitive": false, "language": "en", "note": p.note, "fields": m["fields"], "follow_requests_count": 0}
	m["role"] = s.roleEntity(p)
	writeJSON(w, http.StatusOK, m)
}

func (s *Server) identityScopes() []string { return []string{"profile", "read:accounts"} }

func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.caller(w, r, true, "profile")
	if p == nil {
		return
	}
	o := s.origin(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"iss": o + "/", "sub": o + "/users/" + p.username, "name": p.name,
		"preferred_username": p.username, "profile": o + "/@" + p.username, "picture": o + avatarPath(p),
	})
}

// account is a public profile. Suspension and moves are seen here by anyone.
func (s *Server) account(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.byID[r.PathValue("id")]
	if !s.admits(w, r) {
		return
	}
	if p == nil || p.state == Unconfirmed || p.state == Pending || p.state == Deleted {
		s.notFound(w)
		return
	}
	writeJSON(w, http.StatusOK, s.accountEntity(s.origin(r), p))
}

func (s *Server) lookup(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.admits(w, r) {
		return
	}
	acct := strings.TrimPrefix(r.URL.Query().Get("acct"), "@")
	name, host, _ := strings.Cut(acct, "@")
	if same := host == s.opt.Domain; same || (!s.gts() && strings.EqualFold(host, s.opt.Domain)) {
		acct = name
	}
	p := s.people.byAcct[strings.ToLower(acct)]
	if p == nil || (s.gts() && host != "" && host != s.opt.Domain && host != p.domain) {
		s.notFound(w)
		return
	}
	writeJSON(w, http.StatusOK, s.accountEntity(s.origin(r), p))
}

// following pages by the ids of the follows, not of the people: callers must use Link.
func (s *Server) following(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var me *person // Mastodon shows public lists to everybody, GoToSocial nothing
	if s.gts() || bearer(r) != "" {
		if me = s.caller(w, r, false, "read:accounts"); me == nil {
			return
		}
	}
	p := s.people.byID[r.PathValue("id")]
	if p == nil {
		s.notFound(w)
		return
	}
	q := r.URL.Query()
	limit := pageSize(q.Get("limit"))
	page := pageOf(p.follows, q.Get("max_id"), q.Get("since_id"), limit)
	if s.circles.hiding[p] && me != p {
		page = nil
	}
	out := make([]any, 0, len(page))
	for _, f := range page {
		out = append(out, s.accountEntity(s.origin(r), f.of))
	}
	if len(page) > 0 {
		self := s.origin(r) + r.URL.Path
		link := func(rel, key, id string) string {
			vs := url.Values{"limit": {strconv.Itoa(limit)}, key: {id}}
			return fmt.Sprintf(`<%s?%s>; rel="%s"`, self, vs.Encode(), rel)
		}
		links := []string{link("prev", map[bool]string{true: "min_id", false: "since_id"}[s.gts()], page[0].id)}
		if s.gts() || len(page) == limit {
			links = slices.Insert(links, 0, link("next", "max_id", page[len(page)-1].id))
		}
		w.Header().Set("Link", strings.Join(links, ", "))
	}
	writeJSON(w, http.StatusOK, out)
}

func pageSize(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n == 0 {
		return 40
	}
	return min(max(n, -n), 80)
}

// pageOf is the newest follows first, older than maxID and newer than sinceID.
func pageOf(follows []follow, maxID, sinceID string, limit int) []follow {
	var page []follow
	for _, f := range slices.Backward(follows) {
		if (maxID == "" || older(f.id, maxID)) && (sinceID == "" || older(sinceID, f.id)) && len(page) < limit {
			page = append(page, f)
		}
	}
	return page
}

// older compares ids, all of one kind: by length, then by letters.
func older(a, b string) bool {
	return len(a) < len(b) || (len(a) == len(b) && a < b)
}

func (s *Server) relationships(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scope := "read:follows"
	if s.gts() {
		scope = "read:accounts"
	}
	me := s.caller(w, r, true, scope)
	if me == nil {
		return
	}
	ids := r.URL.Query()["id[]"]
	if !s.gts() && len(ids) == 0 {
		ids = r.URL.Query()["id"]
	}
	if s.gts() && len(ids) == 0 {
		apiError(w, http.StatusBadRequest, "Bad Request: no account IDs specified in query")
		return
	}
	out := []any{}
	for _, id := range ids {
		p := s.people.byID[id]
		if (p == nil || p.state == Suspended) && !s.gts() {
			continue
		}
		out = append(out, map[string]any{
			"id": id, "following": p != nil && me.following(p), "showing_reblogs": p != nil && me.following(p), "notifying": false, "languages": nil,
			"followed_by": p != nil && p.following(me), "blocking": false, "blocked_by": false, "muting": false, "muting_notifications": false,
			"requested": false, "requested_by": false, "domain_blocking": false, "endorsed": false, "note": "",
		})
	}
	writeJSON(w, http.StatusOK, out)
}

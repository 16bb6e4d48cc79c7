package mastodontest

import "net/http"

// Closed is whom an instance shows public profiles to.
type Closed int

// The ways. ClosedToStrangers wants a token, an app's own will do; ClosedToApps wants
// a person's, as Mastodon's limited federation and GoToSocial do.
const (
	ClosedNo Closed = iota
	ClosedToStrangers
	ClosedToApps
)

// SetClosed changes whom public profiles are shown to.
func (s *Server) SetClosed(c Closed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.closed = c
}

// admits tells whether public profiles are shown to this caller, or has answered why
// not. The lock must be held.
func (s *Server) admits(w http.ResponseWriter, r *http.Request) bool {
	if s.gts() {
		return s.caller(w, r, true, "read:accounts") != nil
	}
	t := s.oauth.Tokens[bearer(r)]
	switch {
	case bearer(r) != "" && (t == nil || t.Revoked):
		invalidToken(w, t)
		return false
	case s.faults.closed == ClosedNo, t != nil && t.User != "", t != nil && s.faults.closed == ClosedToStrangers:
		return true
	}
	apiError(w, http.StatusUnauthorized, "This method requires an authenticated user")
	return false
}

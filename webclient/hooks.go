package webclient

import "net/http"

// hook serves routes that servers call, not browsers.
func (s *Server) hook(v verbs) http.Handler {
	return s.api(importBodyLimit, v)
}

// mastodonHook is POST /hooks/mastodon.
func (s *Server) mastodonHook(http.ResponseWriter, *http.Request) error {
	return errNotFound
}

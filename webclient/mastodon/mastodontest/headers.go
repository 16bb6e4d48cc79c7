package mastodontest

import (
	"net/http"
	"strings"
)

// ourHeaders are those that withHeaders sets, and that Trunkline's own answers on
// this origin must not carry.
var ourHeaders = []string{
	"Server", "X-Frame-Options", "X-Content-Type-Options", "X-Xss-Protection", "Referrer-Policy", "Content-Security-Policy",
}

// withHeaders sets what Mastodon's production.rb sets on every answer of Rails.
func (s *Server) withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if s.gts() {
			h.Set("Server", "gotosocial")
			if r.UserAgent() == "" {
				apiError(w, http.StatusTeapot, "I'm a teapot: no user-agent sent with request")
				return
			}
		} else {
			h.Set("Server", "Mastodon")
			h.Set("X-XSS-Protection", "0")
			if strings.HasPrefix(s.origin(r), "https:") {
				h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
			}
		}
		h.Set("Content-Security-Policy", s.policy(r, ""))
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; form-action 'none'")
			h.Set("Access-Control-Allow-Origin", "*")
		}
		next.ServeHTTP(w, r)
	})
}

// policy is Mastodon's Content-Security-Policy (content_security_policy.rb).
// Pages of the web app may submit no form; sign-in and authorize may submit to
// anywhere, because the answer redirects to any client.
//
// Deviation: over plain HTTP, which is for loopback only, http: frames from loopback
// and ws: to ourselves are allowed where Mastodon allows https: and wss:.
func (s *Server) policy(r *http.Request, styleNonce string) string {
	self := s.origin(r)
	frames, socket := "https:", "wss"+strings.TrimPrefix(self, "https")
	if strings.HasPrefix(self, "http:") {
		frames, socket = "https: http://127.0.0.1:* http://localhost:*", "ws"+strings.TrimPrefix(self, "http")
	}
	script := "'self' " + self + " 'wasm-unsafe-eval'"
	if s.mode == V46 {
		script += " 'sha256-" + themeScriptHash + "'"
	}
	style := "'self' " + self
	if styleNonce != "" {
		style += " 'nonce-" + styleNonce + "'"
	}
	policy := []string{
		"base-uri 'none'", "default-src 'none'", "frame-ancestors 'none'", "font-src 'self' " + self,
		"img-src 'self' data: blob: " + self, "media-src 'self' data: " + self, "manifest-src 'self' " + self,
		"style-src " + style, "frame-src 'self' " + frames, "child-src 'self' blob: " + self, "worker-src 'self' blob: " + self,
		"connect-src 'self' data: blob: " + self + " " + socket, "script-src " + script,
	}
	switch path := r.URL.Path; {
	case path == "/oauth/authorize", path == "/auth/sign_in":
	case strings.HasPrefix(path, "/auth/"), strings.HasPrefix(path, "/settings/"):
		policy = append(policy, "form-action 'self'")
	default:
		policy = append(policy, "form-action 'none'")
	}
	return strings.Join(policy, "; ")
}

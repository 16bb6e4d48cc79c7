package webclient

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pageKind is what a route answers with; it decides the security headers.
type pageKind int

const (
	pagePanel pageKind = iota
	pageCallback
	pageAPI
	pageAsset
	pageEmbed
)

// policy is the headers of a kind of page. No page may be framed but the panel,
// and that only by the instance. None has Cross-Origin-Opener-Policy: the login
// popup must reach its opener.
func (s *Server) policy(kind pageKind) http.Header {
	h := http.Header{}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if strings.HasPrefix(s.cfg.PublicURL, "https:") {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
	const closed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	switch kind {
	case pagePanel:
		h.Set("Content-Security-Policy", s.panelCSP())
		h.Set("Cache-Control", "no-cache")
		// Not no-referrer: it would turn the Origin of some requests into "null".
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
	case pageCallback:
		h.Set("Content-Security-Policy", closed+"; script-src 'self'; img-src data:") // its icon is an empty one
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
	case pageAPI:
		h.Set("Content-Security-Policy", closed)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Cookie")
	case pageAsset:
		h.Set("Content-Security-Policy", closed)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	case pageEmbed:
		h.Set("Content-Security-Policy", closed)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin") // it belongs into the instance's page
	}
	return h
}

// panelCSP allows the panel our own origin, the gateway's socket, and pictures of
// the instance and its media hosts.
func (s *Server) panelCSP() string {
	images := append([]string{"'self'", "data:", "blob:", s.cfg.InstanceURL}, s.cfg.MediaOrigins...)
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"font-src 'self'",
		"connect-src 'self' " + socketOrigin(s.cfg.WebSocketURL),
		"img-src " + strings.Join(images, " "),
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors " + s.cfg.InstanceURL,
	}, "; ")
}

func socketOrigin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "" // Config.complete has refused it
	}
	return u.Scheme + "://" + u.Host
}

// headers sets fixed headers before next; next may replace them.
func headers(fixed http.Header, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range fixed {
			w.Header()[name] = append([]string(nil), values...)
		}
		next.ServeHTTP(w, r)
	})
}

// seconds is d in whole seconds, rounded up, at least one.
func seconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}

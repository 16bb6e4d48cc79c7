package mastodontest

import (
	"net/http"
	"net/http/httputil"
	"net/url"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.oauthRoutes(mux)
	s.apiRoutes(mux)
	s.pageRoutes(mux)
	mux.HandleFunc("GET /trunkline/", s.serveEmbed)
	if s.opt.Control {
		mux.HandleFunc("POST /__control", s.serveControl)
	}
	return s.withFaults(s.withHeaders(mux))
}

func (s *Server) oauthRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v1/apps", s.limited("apps", s.createApp))
	mux.HandleFunc("GET /oauth/authorize", s.authorize)
	mux.HandleFunc("POST /oauth/authorize", s.decide)
	mux.HandleFunc("POST /oauth/token", s.limited("oauth", s.issueToken))
	mux.HandleFunc("POST /oauth/revoke", s.limited("oauth", s.revokeToken))
	if s.gts() {
		return
	}
	mux.HandleFunc("GET /api/v1/apps/verify_credentials", s.limited("api", s.verifyApp))
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.metadata)
	if s.mode == V46 {
		mux.HandleFunc("GET /oauth/userinfo", s.limited("api", s.userinfo))
		mux.HandleFunc("POST /oauth/userinfo", s.limited("api", s.userinfo))
	}
}

func (s *Server) apiRoutes(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /api/v1/accounts/verify_credentials": s.verifyCredentials,
		"GET /api/v1/accounts/relationships":      s.relationships,
		"GET /api/v1/accounts/lookup":             s.lookup,
		"GET /api/v1/accounts/{id}":               s.account,
		"GET /api/v1/accounts/{id}/following":     s.following,
		"GET /api/v1/accounts/{id}/lists":         s.accountLists,
		"GET /api/v1/instance":                    s.instanceV1,
		"GET /api/v2/instance":                    s.instanceV2,
		"GET /api/":                               s.noRoute,
	} {
		mux.HandleFunc(pattern, s.limited("api", h))
	}
}

func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /auth/sign_in", s.signInPage)
	mux.HandleFunc("POST /auth/sign_in", s.limited("signin", s.signIn))
	mux.HandleFunc("DELETE /auth/sign_out", s.signOut)
	mux.HandleFunc("POST /auth/sign_out", s.signOut)
	mux.HandleFunc("GET /auth/edit", s.editPage)
	mux.HandleFunc("PUT /settings/preferences/appearance", s.saveAppearance)
	mux.HandleFunc("GET /avatars/{name}", s.avatar)
	mux.HandleFunc("GET /packs/{name}", s.pack)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("OK")) })
	mux.HandleFunc("GET /", s.shell)
}

// serveEmbed is the one path of the Mastodon origin that belongs to Trunkline.
// Cookies do not travel on it, in neither direction.
func (s *Server) serveEmbed(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	upstream := s.embed
	s.mu.Unlock()
	target, err := url.Parse(upstream)
	if upstream == "" || err != nil {
		s.notFoundPage(w)
		return
	}
	(&httputil.ReverseProxy{
		Transport: s.upstream,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(target)
			pr.Out.Header.Del("Cookie")
			pr.SetXForwarded()
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del("Set-Cookie")
			for _, h := range ourHeaders { // Trunkline's answer speaks for itself
				w.Header().Del(h)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			s.opt.Log.Warn("embed script not to be had", "error", err)
			w.WriteHeader(http.StatusBadGateway)
		},
	}).ServeHTTP(w, r)
}

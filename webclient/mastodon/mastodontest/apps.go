package mastodontest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// scopes are those that the server knows and an app may ask for.
func (s *Server) scopes() []string {
	known := strings.Fields("read read:accounts read:blocks read:bookmarks read:favourites read:filters read:follows read:lists " +
		"read:mutes read:notifications read:search read:statuses write write:accounts write:blocks write:bookmarks " +
		"write:conversations write:favourites write:filters write:follows write:lists write:media write:mutes " +
		"write:notifications write:reports write:statuses follow push profile admin:read admin:read:accounts admin:write")
	if s.mode == V46 {
		known = append(known, "read:collections", "write:collections")
	}
	return known
}

// params reads a form or JSON body as Rails does: arrays become key[].
func (s *Server) params(w http.ResponseWriter, r *http.Request) url.Values {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		r.ParseForm()
		return r.PostForm
	}
	vs := url.Values{}
	var m map[string]any
	b, _ := io.ReadAll(r.Body)
	if json.Unmarshal(b, &m) != nil {
		return vs
	}
	for k, v := range m {
		switch v := v.(type) {
		case string:
			vs.Set(k, v)
		case []any:
			for _, e := range v {
				if str, ok := e.(string); ok {
					vs.Add(k+"[]", str)
				}
			}
		}
	}
	return vs
}

const outOfBand = "urn:ietf:wg:oauth:2.0:oob"

func (s *Server) createApp(w http.ResponseWriter, r *http.Request) {
	vs := s.params(w, r)
	uris := strings.Fields(vs.Get("redirect_uris"))
	if arr := vs["redirect_uris[]"]; len(arr) > 0 {
		switch {
		case !s.gts():
			uris = arr
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
			apiError(w, http.StatusBadRequest, "Bad Request: json: cannot unmarshal array into Go struct field .redirect_uris of type string")
			return
		default:
			uris = []string{outOfBand}
		}
	}
	scopes := strings.Fields(vs.Get("scopes"))
	if len(scopes) == 0 {
		scopes = []string{"read"}
	}
	if problem := s.badApp(vs.Get("client_name"), uris, scopes); problem != "" {
		if s.gts() {
			apiError(w, http.StatusBadRequest, "Bad Request: "+problem)
		} else {
			apiError(w, http.StatusUnprocessableEntity, "Validation failed: "+problem)
		}
		return
	}
	s.mu.Lock()
	a := &app{
		Number: len(s.oauth.Apps) + 1, ID: s.token(32), Secret: s.token(32), Name: vs.Get("client_name"),
		Website: vs.Get("website"), RedirectURIs: uris, Scopes: scopes,
	}
	s.oauth.Apps[a.ID] = a
	s.counts.AppsRegistered++
	s.save()
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, s.appEntity(a))
}

func (s *Server) badApp(name string, uris, scopes []string) string {
	switch {
	case name == "":
		return "Application name can't be blank"
	case len(name) > 60:
		return "Application name is too long (maximum is 60 characters)"
	case len(uris) == 0:
		return "Redirect URI can't be blank"
	case len(strings.Join(uris, "\n")) > 2000:
		return "Redirect URI is too long (maximum is 2000 characters)"
	}
	for _, raw := range uris {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme == "" || u.Fragment != "" || slices.Contains([]string{"data", "vbscript", "javascript"}, u.Scheme) {
			return "Redirect URI must be an absolute URI."
		}
	}
	for _, sc := range scopes {
		if !slices.Contains(s.scopes(), sc) {
			return "Scopes doesn't match configured on the server."
		}
	}
	return ""
}

func (s *Server) appEntity(a *app) map[string]any {
	m := map[string]any{
		"id": s.people.newID(700_000 + a.Number), "name": a.Name, "website": a.Website,
		"redirect_uri": strings.Join(a.RedirectURIs, "\n"), "client_id": a.ID, "client_secret": a.Secret, "vapid_key": "",
	}
	if !s.gts() {
		m["redirect_uris"], m["scopes"] = a.RedirectURIs, a.Scopes
	}
	if s.mode == V46 {
		m["client_secret_expires_at"] = 0
	}
	return m
}

func (s *Server) verifyApp(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.oauth.Tokens[bearer(r)]
	if t == nil || t.Revoked || s.oauth.Apps[t.App] == nil {
		invalidToken(w, t)
		return
	}
	a := s.oauth.Apps[t.App]
	writeJSON(w, http.StatusOK, map[string]any{
		"id": s.people.newID(700_000 + a.Number), "name": a.Name, "website": a.Website,
		"scopes": a.Scopes, "redirect_uris": a.RedirectURIs, "redirect_uri": strings.Join(a.RedirectURIs, "\n"),
	})
}

func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	o := s.origin(r)
	m := map[string]any{
		"issuer": o + "/", "service_documentation": "https://docs.joinmastodon.org/",
		"authorization_endpoint": o + "/oauth/authorize", "token_endpoint": o + "/oauth/token",
		"app_registration_endpoint": o + "/api/v1/apps", "revocation_endpoint": o + "/oauth/revoke",
		"scopes_supported": s.scopes(), "response_types_supported": []string{"code"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"grant_types_supported":                 []string{"authorization_code", "client_credentials"},
		"code_challenge_methods_supported":      []string{"S256"},
	}
	if s.mode == V46 {
		m["userinfo_endpoint"] = o + "/oauth/userinfo"
	} else {
		m["grant_types_supported"] = []string{"authorization_code", "password", "client_credentials"}
	}
	writeJSON(w, http.StatusOK, m)
}

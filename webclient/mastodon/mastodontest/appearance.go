package mastodontest

import (
	"html/template"
	"net/http"
	"slices"
)

// appearance is a person's choice. The zero value follows the system.
type appearance struct {
	Scheme   string `json:"color_scheme"` // auto, light, dark
	Contrast string `json:"contrast"`     // auto, default, high
}

// look is how a version of Mastodon tells its pages what the person chose.
type look struct {
	Attributes bool   // 4.6: on <html>, and an inline script that resolves "auto"
	Scheme     string // as sent: auto, light or dark
	Contrast   string
	System     bool
	BodyClass  string // ≤ 4.5: theme-… on <body>
	Stylesheet string
	Script     template.JS
}

func (s *Server) look(p *person) look {
	a := appearance{}
	if p != nil {
		a = p.theme
	}
	a = a.filled()
	if s.mode == V46 {
		return look{
			Attributes: true, Scheme: a.Scheme, Contrast: a.Contrast, System: a.Scheme == "auto",
			BodyClass: "app-body", Stylesheet: "theme46.css", Script: template.JS(themeScript),
		}
	}
	class := "theme-system"
	switch {
	case a.Contrast == "high":
		class = "theme-contrast"
	case a.Scheme == "light":
		class = "theme-mastodon-light"
	case a.Scheme == "dark":
		class = "theme-default"
	}
	return look{Scheme: a.Scheme, Contrast: a.Contrast, BodyClass: "app-body " + class + " no-reduce-motion", Stylesheet: "theme43.css"}
}

func (a appearance) filled() appearance {
	if a.Scheme == "" {
		a.Scheme = "auto"
	}
	if a.Contrast == "" {
		a.Contrast = "auto"
	}
	return a
}

// SetAppearance chooses colour scheme (auto, light, dark) and contrast (auto, default,
// high) for username, as the settings page does.
func (s *Server) SetAppearance(username, scheme, contrast string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.local(username).theme = appearance{scheme, contrast}
}

// saveAppearance is PUT /settings/preferences/appearance from the shell's switch.
func (s *Server) saveAppearance(w http.ResponseWriter, r *http.Request) {
	form := s.params(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.session(r)
	a := appearance{form.Get("color_scheme"), form.Get("contrast")}
	switch {
	case l == nil:
		apiError(w, http.StatusUnauthorized, "This method requires an authenticated user")
	case r.Header.Get("X-CSRF-Token") != l.csrf:
		apiError(w, http.StatusUnprocessableEntity, "Can't verify CSRF token authenticity.")
	case !slices.Contains([]string{"auto", "light", "dark"}, a.Scheme), !slices.Contains([]string{"auto", "default", "high"}, a.Contrast):
		apiError(w, http.StatusUnprocessableEntity, "Validation failed")
	default:
		s.people.local(l.user).theme = a
		writeJSON(w, http.StatusOK, a)
	}
}

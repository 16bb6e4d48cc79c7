package mastodontest

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed pages packs
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

// themeScript is the one inline script that Mastodon 4.6 has, allowed by its hash.
var (
	themeScript     = mustRead("pages/theme-selection.js")
	themeScriptHash = func() string {
		sum := sha256.Sum256([]byte(themeScript))
		return base64.StdEncoding.EncodeToString(sum[:])
	}()
)

func mustRead(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type scopeText struct{ Scope, Text string }

// pageData is what the pages on the way to a login show.
type pageData struct {
	Heading, Text, Alert, CSRF string
	Name                       string // as typed at sign-in
	App, Website               string
	User                       *person
	Scopes                     []scopeText
	Form                       map[string]string
	Deny, SignOut              bool
	Title, Domain              string
	Look                       look
	GTS                        bool
	People                     []*person
}

// ShortName, Name and Picture are for templates.
func (p *person) Username() string { return p.username }
func (p *person) Name() string     { return p.name }
func (p *person) Acct() string     { return p.acct() }
func (p *person) Picture() string  { return avatarPath(p) }

// page writes one of the pages that are not the web app.
func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, name string, d pageData) {
	d.Title, d.Domain, d.GTS = s.opt.Title, s.opt.Domain, s.gts()
	d.Look = s.look(nil)
	if l := s.session(r); l != nil {
		d.Look = s.look(s.people.local(l.user))
	}
	if name == "signin" {
		for _, n := range Names {
			d.People = append(d.People, s.people.local(n))
		}
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private, no-store")
	}
	s.render(w, status, name, d)
}

func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		s.opt.Log.Error("page not rendered", "page", name, "error", err)
		http.Error(w, "page not rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(b.String()))
}

func (s *Server) notFoundPage(w http.ResponseWriter) {
	s.render(w, http.StatusNotFound, "notice", pageData{
		Heading: "The page you are looking for isn't here.", Title: s.opt.Title, Domain: s.opt.Domain, Look: s.look(nil), GTS: s.gts(),
	})
}

// pack serves the stylesheets, scripts and pictures of the pages.
func (s *Server) pack(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	b, err := files.ReadFile(path.Join("packs", name))
	if err != nil {
		s.notFoundPage(w)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(b)
}

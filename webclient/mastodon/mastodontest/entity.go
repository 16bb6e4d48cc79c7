package mastodontest

import (
	"net/http"
	"strings"

	"golang.org/x/net/idna"
)

// accountEntity is the REST Account. o is our origin.
func (s *Server) accountEntity(o string, p *person) map[string]any {
	url := o + "/@" + p.username
	if p.domain != "" {
		host, err := idna.ToASCII(p.domain)
		if err != nil {
			host = p.domain
		}
		url = "https://" + host + "/@" + p.username
	}
	fields := make([]any, 0, len(p.fields))
	for _, f := range p.fields {
		fields = append(fields, map[string]any{"name": f.Name, "value": f.Value, "verified_at": nil})
	}
	m := map[string]any{
		"id": p.id, "username": p.username, "acct": p.acct(), "display_name": p.name, "locked": s.gts(), "bot": p.bot, "group": false,
		"discoverable": true, "indexable": false, "created_at": "2022-11-05T00:00:00.000Z", "note": p.note, "url": url, "uri": s.actorURI(o, url, p),
		"avatar": o + avatarPath(p), "avatar_static": o + avatarPath(p), "header": o + "/packs/header.svg", "header_static": o + "/packs/header.svg",
		"followers_count": s.followers(p), "following_count": len(p.follows), "statuses_count": 3, "last_status_at": "2026-09-01",
		"hide_collections": s.hides(p), "noindex": false, "emojis": []any{}, "roles": []any{}, "fields": fields,
	}
	if s.gts() {
		delete(m, "uri")
	}
	switch p.state {
	case Suspended, Deleted:
		for _, k := range []string{"display_name", "note"} {
			m[k] = ""
		}
		m["fields"], m["suspended"] = []any{}, true
		m["avatar"], m["avatar_static"] = o+"/packs/missing.svg", o+"/packs/missing.svg"
	case Moved:
		m["moved"] = s.accountEntity(o, &person{
			id: s.people.newID(900_000), username: p.username, domain: "elsewhere.example", name: p.name, state: Active,
		})
	}
	return m
}

func (s *Server) actorURI(o, url string, p *person) string {
	if p.domain == "" {
		return o + "/users/" + p.username
	}
	return strings.Replace(url, "/@", "/users/", 1)
}

func (s *Server) followers(p *person) (n int) {
	for _, name := range Names {
		if s.people.local(name).following(p) {
			n++
		}
	}
	return n
}

func (s *Server) version() string {
	switch s.mode {
	case V43:
		return "4.3.23"
	case GoToSocial:
		return "0.20.1+git-0000000"
	default:
		return "4.6.5"
	}
}

func (s *Server) instanceV1(w http.ResponseWriter, r *http.Request) {
	o := s.origin(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"uri": s.opt.Domain, "title": s.opt.Title, "short_description": "A stand-in for trying things out.", "description": "", "email": "admin@" + s.opt.Domain,
		"version": s.version(), "urls": map[string]string{"streaming_api": "ws" + strings.TrimPrefix(o, "http")},
		"stats":     map[string]int{"user_count": 4, "status_count": 12, "domain_count": 5},
		"thumbnail": o + "/packs/header.svg", "languages": []string{"en"}, "registrations": false, "approval_required": false, "invites_enabled": false,
		"configuration": map[string]any{"statuses": map[string]any{"max_characters": 500}}, "contact_account": nil, "rules": []any{},
	})
}

func (s *Server) instanceV2(w http.ResponseWriter, r *http.Request) {
	o := s.origin(r)
	m := map[string]any{
		"domain": s.opt.Domain, "title": s.opt.Title, "version": s.version(), "source_url": "https://github.com/mastodon/mastodon",
		"description": "A stand-in for trying things out.", "usage": map[string]any{"users": map[string]int{"active_month": 3}},
		"thumbnail": map[string]string{"url": o + "/packs/header.svg"}, "languages": []string{"en"},
		"configuration": map[string]any{"urls": map[string]string{"streaming": "ws" + strings.TrimPrefix(o, "http")}},
		"registrations": map[string]any{"enabled": false, "approval_required": false, "message": nil},
		"contact":       map[string]any{"email": "admin@" + s.opt.Domain, "account": nil}, "rules": []any{},
	}
	if s.mode == V46 {
		m["api_versions"] = map[string]int{"mastodon": 7}
	}
	writeJSON(w, http.StatusOK, m)
}

package mastodontest

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// appPaths are the routes that Mastodon answers with its web app.
var appPaths = []string{
	"/home", "/deck", "/notifications", "/lists", "/explore", "/publish", "/search", "/conversations", "/public",
	"/bookmarks", "/favourites", "/about", "/getting-started", "/tags", "/@",
}

// shellData is what the web app's page shows.
type shellData struct {
	Look          look
	Title, Domain string
	Version       string
	Path          string
	CSRF, Nonce   string
	State         template.JS
	Me            *person
	Embed         bool
	Bar           bool // ≥ 4.4: bottom bar on phones; before, a column of icons
	Posts         []post
}

type post struct {
	By      *person
	Text    template.HTML
	When    string
	At      string
	Replies int
	Boosts  int
	Likes   int
	Picture string
	Boosted string
}

// shell is every page of the web app.
func (s *Server) shell(w http.ResponseWriter, r *http.Request) {
	known := r.URL.Path == "/"
	for _, p := range appPaths {
		known = known || r.URL.Path == p || strings.HasPrefix(r.URL.Path, p+"/") || (p == "/@" && strings.HasPrefix(r.URL.Path, p))
	}
	if !known {
		s.notFoundPage(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := shellData{
		Title: s.opt.Title, Domain: s.opt.Domain, Version: s.version(), Path: r.URL.Path, Nonce: s.token(16),
		Embed: s.embed != "", Bar: s.mode == V46, Posts: s.posts(),
	}
	l := s.session(r)
	if l != nil {
		d.Me, d.CSRF = s.people.local(l.user), l.csrf
		w.Header().Set("Cache-Control", "private, no-store")
	} else {
		w.Header().Set("Cache-Control", "public, max-age=15, stale-while-revalidate=30, stale-if-error=86400")
		w.Header().Set("Vary", "Accept, Accept-Language, Cookie")
	}
	d.Look = s.look(d.Me)
	state, err := json.Marshal(s.initialState(s.origin(r), d.Me))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.State = template.JS(state) // json.Marshal leaves no literal < or >
	w.Header().Set("Content-Security-Policy", s.policy(r, d.Nonce))
	s.render(w, http.StatusOK, "shell", d)
}

// initialState is #initial-state. meta.me is there only for people who may use the
// instance; meta.access_token is there to be left alone, and works nowhere.
func (s *Server) initialState(o string, me *person) map[string]any {
	meta := map[string]any{
		"streaming_api_base_url": "ws" + strings.TrimPrefix(o, "http"), "access_token": nil, "locale": "en", "domain": s.opt.Domain,
		"title": s.opt.Title, "version": s.version(), "repository": "mastodon/mastodon", "admin": nil, "search_enabled": true,
		"limited_federation_mode": false, "single_user_mode": false, "reduce_motion": false, "auto_play_gif": false,
		"advanced_layout": false, "use_blurhash": true, "sso_redirect": nil, "registrations_open": false,
	}
	accounts := map[string]any{}
	switch {
	case me == nil:
	case me.state == Active:
		meta["me"], meta["access_token"] = me.id, "web-"+s.token(24)
		accounts[me.id] = s.accountEntity(o, me)
	case me.state == Moved:
		meta["moved_to_account_id"] = s.people.newID(900_000)
		meta["disabled_account_id"] = me.id
	default:
		meta["disabled_account_id"] = me.id
	}
	st := map[string]any{
		"meta": meta, "compose": map[string]any{"text": ""}, "accounts": accounts, "media_attachments": map[string]any{},
		"settings": map[string]any{}, "max_toot_chars": 500, "languages": []any{[]string{"en", "English", "English"}}, "push_subscription": nil, "role": nil,
	}
	if s.mode == V46 {
		st["features"] = []string{}
	}
	return st
}

// posts is the timeline: always the same few.
func (s *Server) posts() []post {
	at := func(name string) *person { return s.people.local(name) }
	now := s.now().UTC()
	mk := func(by string, ago time.Duration, label string, text template.HTML) post {
		return post{By: at(by), When: label, At: now.Add(-ago).Format(time.RFC3339), Text: text}
	}
	a := mk("bob", 4*time.Minute, "4m", `<p>Fog horn test at noon. If you hear it and there is no fog: that was me, sorry.</p>`)
	a.Replies, a.Boosts, a.Likes = 2, 5, 19
	b := mk("carol", 37*time.Minute, "37m", `<p>Clear skies tonight, so the telescope goes on the roof at ten. Saturn first, then whatever the children ask for. <a href="/tags/astronomy" class="mention hashtag" rel="tag">#<span>astronomy</span></a></p>`)
	b.Replies, b.Boosts, b.Likes, b.Picture = 6, 14, 48, "/packs/night.svg"
	c := mk("alice", 2*time.Hour, "2h", `<p>The third sourdough this week, and the first one I would show anybody. <a href="/tags/bread" class="mention hashtag" rel="tag">#<span>bread</span></a></p>`)
	c.Replies, c.Boosts, c.Likes = 4, 3, 31
	d := mk("dana", 5*time.Hour, "5h", `<p>Swapping tomato seedlings for anything that survives slugs. Come by on Saturday.</p>`)
	d.Replies, d.Likes, d.Boosted = 1, 7, "alice"
	e := mk("bob", 26*time.Hour, "1d", `<p>Wind from the north-west, four, gusting six later. Ferries run; umbrellas do not.</p>`)
	e.Boosts, e.Likes = 2, 11
	return []post{a, b, c, d, e}
}

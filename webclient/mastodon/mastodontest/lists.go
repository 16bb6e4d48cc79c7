package mastodontest

import (
	"net/http"
	"slices"
	"strings"
)

// list is somebody's own list of people whom they follow.
type list struct {
	id, title string
	owner     *person
	members   []*person
}

// circles is who stands in whose lists, what roles people have, and who hides whom
// they follow.
type circles struct {
	lists  []*list
	roles  map[*person]role
	hiding map[*person]bool
}

// MakeList gives owner a list with the local or known remote members, and returns
// its id. It panics where a name is nobody's or, as the real server refuses, one
// whom owner does not follow.
func (s *Server) MakeList(owner, title string, members ...string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &list{owner: s.people.local(owner), title: title, id: s.people.newID(700_000 + len(s.circles.lists))}
	if l.owner == nil {
		panic("mastodontest: nobody is called " + owner)
	}
	for _, acct := range members {
		p := s.people.byAcct[strings.ToLower(acct)]
		if p == nil || !l.owner.following(p) {
			panic("mastodontest: " + owner + " does not follow " + acct)
		}
		l.members = append(l.members, p)
	}
	s.circles.lists = append(s.circles.lists, l)
	return l.id
}

// Unfollow ends a follow; who was in a list of username leaves it, as on the real
// server.
func (s *Server) Unfollow(username, acct string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, whom := s.people.local(username), s.people.byAcct[strings.ToLower(acct)]
	who.follows = slices.DeleteFunc(who.follows, func(f follow) bool { return f.of == whom })
	for _, l := range s.circles.lists {
		if l.owner == who {
			l.members = slices.DeleteFunc(l.members, func(p *person) bool { return p == whom })
		}
	}
}

// HideFollows makes username's follows unseen by others.
func (s *Server) HideFollows(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.circles.hiding == nil {
		s.circles.hiding = map[*person]bool{}
	}
	s.circles.hiding[s.people.local(username)] = true
}

// accountLists is the caller's lists that hold an account.
func (s *Server) accountLists(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.caller(w, r, true, "read:lists")
	if me == nil {
		return
	}
	p := s.people.byID[r.PathValue("id")]
	if p == nil {
		s.notFound(w)
		return
	}
	out := []any{}
	for _, l := range s.circles.lists {
		if l.owner == me && slices.Contains(l.members, p) && p.state != Suspended {
			out = append(out, map[string]any{"id": l.id, "title": l.title, "replies_policy": "list", "exclusive": false})
		}
	}
	writeJSON(w, http.StatusOK, out)
}

// IssueToken is a token of username that an app made by hand has these scopes for,
// as "Your access token" of an application in Mastodon's preferences.
func (s *Server) IssueToken(username string, scopes ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.local(username)
	if p == nil {
		panic("mastodontest: nobody is called " + username)
	}
	t := &token{Value: s.token(32), App: "made-by-hand", User: p.username, Scopes: scopes, At: s.now()}
	s.oauth.Tokens[t.Value] = t
	return t.Value
}

// hides is what a profile says of it: null where nobody ever chose, and nothing
// before 4.3. The lock must be held.
func (s *Server) hides(p *person) any {
	if s.circles.hiding[p] {
		return true
	}
	return nil
}

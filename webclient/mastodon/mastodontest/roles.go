package mastodontest

import "strconv"

// role is one of the server's. Its bits are those of Mastodon's UserRole::FLAGS.
type role struct {
	id          string
	name        string
	permissions uint64
}

// invite is the one right that everybody has.
const invite = 1 << 16

// The roles that a new Mastodon server has, and one that an admin made up.
var (
	mastodonRoles = map[string]role{
		"user":      {id: "-99", permissions: invite},
		"moderator": {"1", "Moderator", 1308 | invite},
		"admin":     {"2", "Admin", 983036 | invite},
		"owner":     {"3", "Owner", 1<<20 - 1},
		"emoji":     {"4", "moderator", 1<<14 | invite}, // a name says nothing
	}
	gotosocialRoles = map[string]role{
		"user":      {"user", "user", 0},
		"moderator": {"moderator", "moderator", 0}, // really without a bit
		"admin":     {"admin", "admin", 1<<0 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<10 | 1<<12 | 1<<14 | 1<<19},
	}
)

// SetRole gives username one of the roles "user", "moderator" and "admin"; on
// Mastodon also "owner", and "emoji", a role that is only called "moderator". It
// panics for other words.
func (s *Server) SetRole(username, word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	roles := mastodonRoles
	if s.gts() {
		roles = gotosocialRoles
	}
	r, ok := roles[word]
	if !ok {
		panic("mastodontest: no role " + word)
	}
	if s.circles.roles == nil {
		s.circles.roles = map[*person]role{}
	}
	s.circles.roles[s.people.local(username)] = r
}

// roleEntity is the role of a CredentialAccount. The lock must be held.
func (s *Server) roleEntity(p *person) map[string]any {
	r, ok := s.circles.roles[p]
	switch {
	case ok:
	case s.gts():
		r = gotosocialRoles["user"]
	default:
		r = mastodonRoles["user"]
	}
	return map[string]any{
		"id": r.id, "name": r.name, "permissions": strconv.FormatUint(r.permissions, 10), "color": "",
		"highlighted": ok && r.id != "-99" && r.id != "user",
	}
}

// Mode is which server this one is like.
func (s *Server) Mode() Mode { return s.mode }

package mastodontest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Down is a way for the whole instance to be out of order.
type Down string

// The ways. DownHTML answers 200 with a page, as a parked domain does; Down503 is the
// web server's own page in front of a dead Mastodon; DownHang never answers.
const (
	DownNo   Down = ""
	DownHTML Down = "html"
	Down503  Down = "503"
	DownHang Down = "hang"
)

type faults struct {
	down      Down
	up        chan struct{} // closed when down changes, to let hanging requests go
	limitNext int
	closed    Closed
}

// SetDown takes the instance down, or up again with DownNo. The shell, its assets and
// the control endpoint go on working.
func (s *Server) SetDown(d Down) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.up != nil {
		close(s.faults.up)
	}
	s.faults.down, s.faults.up = d, make(chan struct{})
}

// RateLimitNext answers the next n calls of the API or of /oauth/token with 429.
func (s *Server) RateLimitNext(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.limitNext = n
}

// SetState changes what username may do. It panics if there is no such local person.
func (s *Server) SetState(username string, st State) {
	if err := s.setState(username, st); err != nil {
		panic(err)
	}
}

func (s *Server) setState(username string, st State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.local(username)
	if p == nil {
		return fmt.Errorf("mastodontest: nobody is called %q", username)
	}
	switch st {
	case Active, Suspended, Disabled, Moved, Unconfirmed, Pending:
		p.state = st
		return nil
	case Deleted: // the row of accounts stays, so that the name is never free again
		p.state = st
		s.counts.TokensRevoked += s.oauth.revokeAll(p.username)
		return nil
	default:
		return fmt.Errorf("mastodontest: no state %q", st)
	}
}

// AddFollows gives username n more generated people to follow.
func (s *Server) AddFollows(username string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.generate(username, n)
}

// SetFields replaces a local person's profile table.
func (s *Server) SetFields(username string, fields []Field) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people.local(username).fields = fields
}

// RenewID gives username a new account id, as when a name is freed and taken by
// somebody else. Tokens of the old account die.
func (s *Server) RenewID(username string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.local(username)
	delete(s.people.byID, p.id)
	s.people.ids++
	p.id = s.people.newID(100_000 + s.people.ids)
	s.people.byID[p.id] = p
	s.oauth.revokeAll(p.username)
	return p.id
}

// RevokeTokens makes all tokens of username invalid, as a password reset does.
func (s *Server) RevokeTokens(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.TokensRevoked += s.oauth.revokeAll(username)
	s.save()
}

// ForgetApps deletes every registered app and what hangs on it, as a restored backup
// does.
func (s *Server) ForgetApps() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oauth.init()
	s.save()
}

// AccountID is the account id of a local person, "" if there is none.
func (s *Server) AccountID(username string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.people.local(username); p != nil {
		return p.id
	}
	return ""
}

// withFaults is what stands in front of a dead Mastodon.
func (s *Server) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down, up := s.faults.down, s.faults.up
		s.mu.Unlock()
		covered := false
		for _, prefix := range []string{"/api/", "/oauth/", "/auth/", "/.well-known/"} {
			covered = covered || strings.HasPrefix(r.URL.Path, prefix)
		}
		if !covered || down == DownNo {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch down {
		case DownHang:
			select {
			case <-up:
			case <-r.Context().Done():
			}
			w.WriteHeader(http.StatusGatewayTimeout)
		case DownHTML:
			fmt.Fprint(w, "<!DOCTYPE html><title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>")
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "<!DOCTYPE html><title>We’re sorry</title><h1>We’re sorry, but something went wrong on our end</h1>")
		}
	})
}

// serveControl is the knobs for tests that live in a browser.
//
//	{"op":"state","user":"alice","state":"suspended"} · {"op":"down","how":"html|503|hang|"}
//	{"op":"rate_limit","n":3} · {"op":"follows","user":"alice","n":2000} · {"op":"renew_id","user":"alice"}
//	{"op":"revoke","user":"alice"} · {"op":"forget_apps"} · {"op":"counters"}
//
// The answer is always the counters; 400 with a text for what is not understood.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	var c struct {
		Op, User, How string
		State         State
		N             int
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&c)
	if err == nil {
		switch c.Op {
		case "follows", "renew_id", "revoke":
			if s.AccountID(c.User) == "" {
				err = fmt.Errorf("nobody is called %q", c.User)
			}
		}
	}
	if err == nil {
		err = s.control(c.Op, c.User, c.How, c.State, c.N)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, http.StatusOK, s.Counters())
}

func (s *Server) control(op, user, how string, st State, n int) error {
	switch op {
	case "state":
		return s.setState(user, st)
	case "down":
		s.SetDown(Down(how))
	case "rate_limit":
		s.RateLimitNext(n)
	case "follows":
		s.AddFollows(user, n)
	case "renew_id":
		s.RenewID(user)
	case "revoke":
		s.RevokeTokens(user)
	case "forget_apps":
		s.ForgetApps()
	case "counters":
	default:
		return fmt.Errorf("unknown op %q", op)
	}
	return nil
}

package mastodontest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

const codeTTL = 10 * time.Minute

type app struct {
	Number       int
	ID, Secret   string
	Name         string
	Website      string
	RedirectURIs []string
	Scopes       []string
}

type grant struct {
	App, User, Redirect string
	Scopes              []string
	Challenge, Method   string
	At                  time.Time
	Used                bool
}

type token struct {
	Value, App, User string // no User: an app's own token
	Scopes           []string
	Revoked          bool
	At               time.Time
}

// oauthStore is what OAuth remembers. The exported half is what KeepState keeps.
type oauthStore struct {
	Apps   map[string]*app
	Tokens map[string]*token
	codes  map[string]*grant
	shown  map[string]bool // allow pages shown and not answered, by session and state
}

func (o *oauthStore) init() {
	o.Apps, o.Tokens = map[string]*app{}, map[string]*token{}
	o.codes, o.shown = map[string]*grant{}, map[string]bool{}
}

// matching is the live token with exactly these scopes, if there is one.
func (o *oauthStore) matching(appID, user string, scopes []string) *token {
	want := slices.Sorted(slices.Values(scopes))
	for _, t := range o.Tokens {
		if !t.Revoked && t.App == appID && t.User == user && slices.Equal(slices.Sorted(slices.Values(t.Scopes)), want) {
			return t
		}
	}
	return nil
}

func (o *oauthStore) revokeAll(user string) (n int) {
	for _, t := range o.Tokens {
		if t.User == user && !t.Revoked {
			t.Revoked = true
			n++
		}
	}
	return n
}

// KeepState reads apps and tokens from file, if it is there, and from now on writes
// every change of them to it, so that a restarted stand-in still knows its clients.
func (s *Server) KeepState(file string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("mastodontest: %w", err)
	default:
		var kept oauthStore
		if err := json.Unmarshal(b, &kept); err != nil {
			return fmt.Errorf("mastodontest: %s: %w", file, err)
		}
		if kept.Apps != nil && kept.Tokens != nil {
			s.oauth.Apps, s.oauth.Tokens = kept.Apps, kept.Tokens
		}
	}
	s.file = file
	return nil
}

// save writes what KeepState keeps. The lock must be held.
func (s *Server) save() {
	if s.file == "" {
		return
	}
	b, err := json.Marshal(&s.oauth)
	if err == nil {
		err = os.WriteFile(s.file+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(s.file+".new", s.file)
	}
	if err != nil {
		s.opt.Log.Error("stand-in state not kept", "error", err)
	}
}

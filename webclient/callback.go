package webclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// endOfLogin is GET /auth/callback: the browser comes back from Mastodon.
func (s *Server) endOfLogin(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	p, err := s.recall(r.Context(), query.Get("state"), s.knownBrowser(r))
	if err == nil {
		err = callbackError(query.Get("error"))
	}
	if err == nil && query.Get("code") == "" {
		err = failed(codeInvalid, errors.New("the callback has neither code nor error"))
	}
	if err != nil {
		s.failLogin(w, r, p, err)
		return nil
	}
	handoff, err := s.signIn(w, r, query.Get("code"), p.verifier)
	if err != nil {
		s.failLogin(w, r, p, err)
		return nil
	}
	s.finishLogin(w, r, p, handoff)
	return nil
}

// callbackError reads the error parameter of RFC 6749 section 4.1.2.1. Its values
// are a closed list; nothing else of what came with the callback is logged.
func callbackError(name string) error {
	switch name {
	case "":
		return nil
	case "access_denied":
		return failed(codeDenied, nil)
	case "temporarily_unavailable", "server_error":
		return failed(codeDown, errors.New("the instance says: "+name))
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope":
		return failed(codeInvalid, errors.New("the instance says: "+name))
	default:
		return failed(codeInvalid, errors.New("the instance says something unknown"))
	}
}

// signIn trades the code for a token, finds out whose it is, and makes the login
// and its session. The hand-off code is "" unless Config.CrossSite.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, code, verifier string) (handoff string, err error) {
	ctx := s.withClientAddr(r)
	session, old, err := s.sessions.load(r)
	if err != nil {
		return "", err
	}
	app, err := s.app(ctx)
	if err != nil {
		return "", err
	}
	// Mastodon may give us the very token that the end of this person's last login
	// is just about to revoke: neither may happen in the middle of the other.
	if err := s.exchanges.Acquire(ctx, 1); err != nil {
		return "", fmt.Errorf("webclient: login: %w", err)
	}
	defer s.exchanges.Release(1)
	person, err := s.admit(ctx, app, code, verifier)
	if err != nil {
		return "", err
	}
	if s.cfg.CrossSite {
		old = "" // cookies of this window are another partition's: they say nothing of the panel's
	}
	id, err := s.startLogin(ctx, person.ID, old)
	if err != nil {
		return "", err
	}
	s.asked.forget(person.ID)
	s.heard(nil)
	s.cfg.Log.InfoContext(ctx, "signed in", "account", person.ID, "username", person.Username, "login", id)
	if s.cfg.CrossSite {
		return s.offer(ctx, id)
	}
	return "", s.sessions.begin(session, w, id)
}

// admit turns a code into an account that may chat, stored with its token.
func (s *Server) admit(ctx context.Context, app mastodon.App, code, verifier string) (mastodon.Account, error) {
	token, err := s.cfg.Mastodon.Exchange(ctx, app, code, verifier)
	if err != nil {
		if errors.Is(err, mastodon.ErrBadClient) {
			s.appRefused(ctx, app, err)
		}
		return mastodon.Account{}, err
	}
	began := s.now()
	person, err := s.cfg.Mastodon.VerifyCredentials(ctx, token.Access)
	if err == nil && person.Moved {
		err = mastodon.ErrAccountMoved
	}
	if errors.Is(err, mastodon.ErrTokenInvalid) {
		// The token is a second old. Some servers say this of a disabled account.
		err = failed(codeDisabled, err)
	}
	if err == nil {
		err = s.saveAccount(ctx, app, person, token, began)
	}
	if err != nil {
		s.giveBack(ctx, app, token, err)
		return mastodon.Account{}, err
	}
	return person, nil
}

// giveBack revokes the token of somebody who was not let in. Where we could only
// not tell it stays: another login of the same person may live on it.
func (s *Server) giveBack(ctx context.Context, app mastodon.App, token mastodon.Token, cause error) {
	switch loginCode(cause) {
	case codeDisabled, codeSuspended, codeMoved, codeDeleted, codeUnconfirmed, codeNameTaken, codeBlocked:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.cfg.Mastodon.Revoke(ctx, app, token.Access); err != nil {
		s.cfg.Log.WarnContext(ctx, "revoking the token of a refused login failed", "error", err)
	}
}

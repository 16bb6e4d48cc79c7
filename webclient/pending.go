package webclient

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	pendingLifetime = 10 * time.Minute // of a login at Mastodon, and of its cookie
	pendingMemory   = time.Hour        // how long a late one is still told from a forged one
)

// How the person comes back.
const (
	modePopup    = "popup"
	modeRedirect = "redirect"
)

// pending is a login that went to Mastodon.
type pending struct {
	mode     string
	returnTo string
	verifier string
}

// browser is the id that binds pending logins to this browser. It makes one, and
// its cookie, where there is none, and keeps the cookie for another ten minutes.
// The callback is a navigation from another site, so the cookie is SameSite=Lax.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) (string, error) {
	id := s.knownBrowser(r)
	if id == "" {
		var err error
		if id, err = s.randomText(16); err != nil {
			return "", err
		}
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(s.cfg, "login"), Value: id, Path: "/", MaxAge: int(pendingLifetime.Seconds()),
		HttpOnly: true, Secure: s.public.Scheme == "https", SameSite: http.SameSiteLaxMode,
	})
	return id, nil
}

// knownBrowser is the id in the request's cookie, "" if there is none of ours.
func (s *Server) knownBrowser(r *http.Request) string {
	cookie, err := r.Cookie(cookieName(s.cfg, "login"))
	if err != nil {
		return ""
	}
	if raw, err := base64.RawURLEncoding.DecodeString(cookie.Value); err != nil || len(raw) != 16 {
		return ""
	}
	return cookie.Value
}

// remember keeps a login that is about to go to Mastodon and returns its state and
// PKCE verifier, fresh for each (RFC 7636 section 4.1).
func (s *Server) remember(ctx context.Context, browser, mode, returnTo string) (state, verifier string, err error) {
	if state, err = s.randomText(32); err != nil {
		return "", "", err
	}
	if verifier, err = s.randomText(32); err != nil {
		return "", "", err
	}
	hash := fingerprint(state)
	sealed, err := s.keys.seal(verifierPurpose(hash), []byte(verifier))
	if err != nil {
		return "", "", err
	}
	_, err = s.cfg.DB.ExecContext(ctx, `INSERT INTO pending_logins
		(state_hash, browser_hash, verifier, mode, return_to, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		hash, fingerprint(browser), base64.RawURLEncoding.EncodeToString(sealed), mode, returnTo, s.now())
	if err != nil {
		return "", "", fmt.Errorf("webclient: pending login: %w", err)
	}
	return state, verifier, nil
}

// recall finds the pending login of state for this browser and uses it up. The
// mode and the return address are told with an error too where it is the same
// browser's. A state of another browser is left alone: who guesses or steals one
// must not be able to spoil it.
func (s *Server) recall(ctx context.Context, state, browser string) (pending, error) {
	if state == "" {
		return pending{}, failed(codeMismatch, errors.New("no state in the callback"))
	}
	hash := fingerprint(state)
	var p pending
	var owner []byte
	var sealed string
	var created int64
	var used sql.NullInt64
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT browser_hash, verifier, mode, return_to, created_at, used_at
		FROM pending_logins WHERE state_hash = $1`, hash).Scan(&owner, &sealed, &p.mode, &p.returnTo, &created, &used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return pending{}, failed(codeMismatch, errors.New("unknown state"))
	case err != nil:
		return pending{}, fmt.Errorf("webclient: pending login: %w", err)
	case browser == "" || subtle.ConstantTimeCompare(owner, fingerprint(browser)) != 1:
		return pending{}, s.strangeBrowser(browser, created)
	case used.Valid:
		return p, failed(codeUsed, nil)
	case s.now() >= created+pendingLifetime.Milliseconds():
		return p, failed(codeExpired, errors.New("pending login is too old"))
	}
	res, err := s.cfg.DB.ExecContext(ctx, `UPDATE pending_logins SET used_at = $1
		WHERE state_hash = $2 AND used_at IS NULL`, s.now(), hash)
	if err != nil {
		return p, fmt.Errorf("webclient: pending login: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return p, failed(codeUsed, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return p, fmt.Errorf("webclient: pending login: %w", err)
	}
	plain, _, err := s.keys.open(verifierPurpose(hash), raw)
	if err != nil {
		return p, err
	}
	p.verifier = string(plain)
	return p, nil
}

// strangeBrowser is the answer to a state that is not this browser's. A browser
// without the cookie after more than ten minutes has simply let it expire.
func (s *Server) strangeBrowser(browser string, created int64) error {
	if browser == "" && s.now() >= created+pendingLifetime.Milliseconds() {
		return failed(codeExpired, errors.New("pending login and its cookie are too old"))
	}
	return failed(codeMismatch, errors.New("the state belongs to another browser"))
}

func verifierPurpose(stateHash []byte) string { return "pending_logins.verifier:" + string(stateHash) }

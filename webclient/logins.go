package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// login is one browser's sign-in, as long as it lives. Its id is the session that
// credentials are issued for.
type login struct {
	id       string
	account  string
	username string
}

const touchEvery = time.Minute // how exactly last_seen_at is kept

// Reasons for the end of a login, as the revocation feed tells them.
const (
	reasonSignedOut = "signed_out"
	reasonExpired   = "expired"
	reasonReplaced  = "replaced"
)

// current is the live login of a request, or errSignedOut. It counts as activity.
// Who was put out because they are not welcome any more is told so.
func (s *Server) current(r *http.Request) (login, error) {
	_, id, err := s.sessions.load(r)
	if err != nil {
		return login{}, err
	}
	l, err := s.liveLogin(r.Context(), id, true)
	if errors.Is(err, errSignedOut) && id != "" {
		err = s.whyPutOut(r.Context(), id)
	}
	return l, err
}

// whyPutOut is what to answer for a login that lives no more.
func (s *Server) whyPutOut(ctx context.Context, id string) error {
	var account string
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT account_id FROM logins WHERE id = $1`, id).Scan(&account)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errSignedOut
	case err != nil:
		return fmt.Errorf("webclient: login: %w", err)
	}
	st, err := s.readStanding(ctx, account)
	if err != nil {
		return err
	}
	if err := s.refusal(st, nil); err != nil {
		return err
	}
	return errSignedOut
}

// liveLogin is the login id if it lives, or errSignedOut. touch prolongs it.
func (s *Server) liveLogin(ctx context.Context, id string, touch bool) (login, error) {
	if id == "" {
		return login{}, errSignedOut
	}
	l := login{id: id}
	var created, seen int64
	now := s.now()
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT l.account_id, a.username, l.created_at, l.last_seen_at
		FROM logins l JOIN accounts a ON a.id = l.account_id
		WHERE l.id = $1 AND l.ended_at IS NULL AND l.expires_at > $2`, id, now).
		Scan(&l.account, &l.username, &created, &seen)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return login{}, errSignedOut
	case err != nil:
		return login{}, fmt.Errorf("webclient: login: %w", err)
	}
	if touch && now-seen >= touchEvery.Milliseconds() {
		// The condition keeps a login ended that ends just now.
		_, err := s.cfg.DB.ExecContext(ctx, `UPDATE logins SET last_seen_at = $1, expires_at = $2
			WHERE id = $3 AND ended_at IS NULL AND expires_at > $1`, now, s.loginExpiry(created, now), id)
		if err != nil {
			return login{}, fmt.Errorf("webclient: login: %w", err)
		}
	}
	return l, nil
}

// loginExpiry is the sooner of the idle and the absolute end.
func (s *Server) loginExpiry(created, seen int64) int64 {
	return min(created+s.cfg.SessionAbsolute.Milliseconds(), seen+s.cfg.SessionIdle.Milliseconds())
}

// startLogin makes account's login in a browser whose login so far was old ("" for
// none). A live login of the same person goes on under its id, as if new, so that
// their other tabs are not cut off; somebody else's is ended.
func (s *Server) startLogin(ctx context.Context, account, old string) (string, error) {
	now := s.now()
	before, err := s.liveLogin(ctx, old, false)
	switch {
	case err == nil && before.account == account:
		res, err := s.cfg.DB.ExecContext(ctx, `UPDATE logins SET created_at = $1, last_seen_at = $1, expires_at = $2
			WHERE id = $3 AND ended_at IS NULL AND expires_at > $1`, now, s.loginExpiry(now, now), old)
		if err != nil {
			return "", fmt.Errorf("webclient: login: %w", err)
		}
		if n, err := res.RowsAffected(); err == nil && n == 1 {
			return old, nil
		}
	case err == nil:
		s.endLogin(ctx, old, reasonReplaced)
	case !errors.Is(err, errSignedOut):
		return "", err
	}
	id, err := s.randomText(16)
	if err != nil {
		return "", err
	}
	_, err = s.cfg.DB.ExecContext(ctx, `INSERT INTO logins (id, account_id, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5)`, id, account, now, now, s.loginExpiry(now, now))
	if err != nil {
		return "", fmt.Errorf("webclient: login: %w", err)
	}
	return id, nil
}

// endLogin ends a login now and revokes what was issued in it. It does not stop
// half-way when the request is given up. Where the revocation fails the login is
// dead all the same and the janitor tries the rest again: a row is marked as ended
// only when its credentials are revoked.
func (s *Server) endLogin(ctx context.Context, id, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now := s.now()
	_, err := s.cfg.DB.ExecContext(ctx, `UPDATE logins SET expires_at = $1
		WHERE id = $2 AND ended_at IS NULL AND expires_at > $1`, now, id)
	if err == nil {
		err = s.cfg.Issuer.RevokeSession(ctx, id, reason)
	}
	if err == nil {
		_, err = s.cfg.DB.ExecContext(ctx, `UPDATE logins SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL`, now, id)
	}
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "ending a login failed; it is tried again", "login", id, "reason", reason, "error", err)
	}
	wake(s.wakeTidy)
}

// endAccount ends all logins of account and revokes all its credentials.
func (s *Server) endAccount(ctx context.Context, account, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now := s.now()
	_, err := s.cfg.DB.ExecContext(ctx, `UPDATE logins SET expires_at = $1
		WHERE account_id = $2 AND ended_at IS NULL AND expires_at > $1`, now, account)
	if err != nil {
		return fmt.Errorf("webclient: ending logins: %w", err)
	}
	wake(s.wakeTidy) // ends each of them properly
	if err := s.cfg.Issuer.RevokeAccount(ctx, account, reason); err != nil {
		return fmt.Errorf("webclient: ending logins: %w", err)
	}
	return nil
}

// signedIn wraps a handler that needs a login. The session is read once, before
// the handler, and not written after it.
func (s *Server) signedIn(h func(w http.ResponseWriter, r *http.Request, l login) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		l, err := s.current(r)
		if err != nil {
			return err
		}
		return h(w, r, l)
	}
}

package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const handoffLifetime = time.Minute

// offer makes a one-time code for a login that a panel on another site takes over:
// the popup tells it to the panel, which gets the cookie in its own partition.
func (s *Server) offer(ctx context.Context, login string) (string, error) {
	code, err := s.randomText(32)
	if err != nil {
		return "", err
	}
	_, err = s.cfg.DB.ExecContext(ctx, `INSERT INTO handoffs (code_hash, login_id, created_at) VALUES ($1, $2, $3)`,
		fingerprint(code), login, s.now())
	if err != nil {
		return "", fmt.Errorf("webclient: hand-off: %w", err)
	}
	return code, nil
}

// takeOver is POST /auth/handoff {"code"}: 204 and the session cookie.
func (s *Server) takeOver(w http.ResponseWriter, r *http.Request) error {
	if !s.cfg.CrossSite {
		return errNotFound
	}
	var body struct {
		Code string `json:"code"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	session, old, err := s.sessions.load(r)
	if err != nil {
		return err
	}
	id, err := s.accept(r.Context(), body.Code)
	if err != nil {
		return err
	}
	if old != "" && old != id {
		s.endLogin(r.Context(), old, reasonReplaced)
	}
	if err := s.sessions.begin(session, w, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// accept uses a code up and returns its login.
func (s *Server) accept(ctx context.Context, code string) (string, error) {
	hash, now := fingerprint(code), s.now()
	res, err := s.cfg.DB.ExecContext(ctx, `UPDATE handoffs SET used_at = $1
		WHERE code_hash = $2 AND used_at IS NULL AND created_at > $3`, now, hash, now-handoffLifetime.Milliseconds())
	if err != nil {
		return "", fmt.Errorf("webclient: hand-off: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return "", errHandoff
	}
	var id string
	err = s.cfg.DB.QueryRowContext(ctx, `SELECT login_id FROM handoffs WHERE code_hash = $1`, hash).Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", errHandoff
	case err != nil:
		return "", fmt.Errorf("webclient: hand-off: %w", err)
	}
	if _, err := s.liveLogin(ctx, id, false); err != nil {
		return "", errHandoff
	}
	return id, nil
}

// signOut is POST /auth/logout: 204. It ends this browser's login and no other.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	session, id, err := s.sessions.load(r)
	if err != nil {
		return err
	}
	if id != "" {
		s.endLogin(r.Context(), id, reasonSignedOut)
	}
	if err := s.sessions.end(session, w); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

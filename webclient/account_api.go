package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"
)

type accountJSON struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	Acct        string `json:"acct"`
	DisplayName string `json:"display_name"`
	Avatar      string `json:"avatar"`
	URL         string `json:"url"`
}

type instanceJSON struct {
	Name   string `json:"name"`
	Origin string `json:"origin"`
	Domain string `json:"domain"`
}

type sessionJSON struct {
	Account      accountJSON  `json:"account"`
	JID          string       `json:"jid"`
	Instance     instanceJSON `json:"instance"`
	Consent      consentJSON  `json:"consent"`
	WebSocketURL string       `json:"websocket_url"`
	ActiveImport *string      `json:"active_import"`
}

// jid is the chat address of a local name.
func (s *Server) jid(username string) string { return username + "@" + s.cfg.XMPPDomain }

// walkURL is the gateway's address for our own panel, which knows of consent.
func (s *Server) walkURL() string { return s.cfg.WebSocketURL + "?consent=walk" }

// showSession is GET /api/v1/session.
func (s *Server) showSession(w http.ResponseWriter, r *http.Request, l login) error {
	ctx := r.Context()
	out := sessionJSON{
		JID:          s.jid(l.username),
		Instance:     instanceJSON{Name: s.cfg.InstanceName, Origin: s.cfg.InstanceURL, Domain: s.cfg.LocalDomain},
		WebSocketURL: s.walkURL(),
	}
	a := &out.Account
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT id, username, display_name, avatar_url, profile_url
		FROM accounts WHERE id = $1`, l.account).Scan(&a.ID, &a.Username, &a.DisplayName, &a.Avatar, &a.URL)
	if err != nil {
		return fmt.Errorf("webclient: session: %w", err)
	}
	a.Acct = a.Username // as Mastodon writes its own people
	if out.Consent, err = s.consent(ctx, l.account); err != nil {
		return err
	}
	if out.ActiveImport, err = s.activeImport(ctx, l.account); err != nil {
		return err
	}
	s.answer(w, r, http.StatusOK, out)
	return nil
}

// activeImport is the id of the newest unfinished import, or nil.
func (s *Server) activeImport(ctx context.Context, account string) (*string, error) {
	var id string
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT id FROM imports WHERE account_id = $1 AND finished_at IS NULL
		ORDER BY created_at DESC, id LIMIT 1`, account).Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("webclient: imports: %w", err)
	}
	return &id, nil
}

type credentialsJSON struct {
	JID          string `json:"jid"`
	Password     string `json:"password"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	WebSocketURL string `json:"websocket_url"`
}

// issueCredentials is GET and POST /api/v1/credentials. GET is what Converse.js's
// credentials_url asks for; such a client does not know of consent.
func (s *Server) issueCredentials(w http.ResponseWriter, r *http.Request, l login) error {
	ctx := r.Context()
	if err := s.checkStanding(ctx, l.account); err != nil {
		return err
	}
	secret, expires, err := s.cfg.Issuer.IssueTemporary(ctx, l.account, l.id)
	if err != nil {
		return issueError(err)
	}
	// The login may have ended while the password was made; then nothing else
	// would revoke it. One about which we cannot tell goes on: a browser whose line
	// broke just now is not signed out, and nobody has seen this password.
	_, err = s.liveLogin(ctx, l.id, false)
	if errors.Is(err, errSignedOut) {
		if revoke := s.cfg.Issuer.RevokeSession(context.WithoutCancel(ctx), l.id, reasonSignedOut); revoke != nil {
			return revoke
		}
	}
	if err != nil {
		return err
	}
	out := credentialsJSON{JID: s.jid(l.username), Password: secret,
		ExpiresIn: int(expires.Sub(s.cfg.Now()) / time.Second), WebSocketURL: s.walkURL()}
	if r.Method != http.MethodPost {
		out.WebSocketURL = s.cfg.WebSocketURL
	}
	s.answer(w, r, http.StatusOK, out)
	return nil
}

func issueError(err error) error {
	var limited interface{ RetryAfter() time.Duration }
	if errors.As(err, &limited) {
		return &apiError{status: http.StatusTooManyRequests, code: "rate_limited", retryAfter: limited.RetryAfter(),
			message: "Too many connections in a short time. It goes on by itself in a moment."}
	}
	return err
}

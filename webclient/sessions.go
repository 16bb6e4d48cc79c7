package webclient

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// sessions ties a browser to a login. The cookie and the hashed token are scs's;
// all that a session says is the id of a login, and whether that still holds is for
// the table logins to say. So scs's own idle timeout stays off (it would rewrite
// every session when its handler returns, even one destroyed meanwhile) and the
// idle lifetime is the login's.
type sessions struct {
	scs      *scs.SessionManager
	absolute time.Duration
	now      func() time.Time
}

const sessionLogin = "login"

func newSessions(cfg Config) *sessions {
	// Not scs.New: it starts a goroutine of a store in memory that nobody wants and
	// nobody ends.
	m := &scs.SessionManager{
		Lifetime:         cfg.SessionAbsolute,
		HashTokenInStore: true,
		Codec:            sessionCodec{},
		Store:            sessionStore{db: cfg.DB, now: cfg.Now},
		Cookie: scs.SessionCookie{
			Name: cookieName(cfg, "session"), Path: "/", HttpOnly: true, Persist: true,
			Secure: strings.HasPrefix(cfg.PublicURL, "https:"), SameSite: http.SameSiteLaxMode,
		},
	}
	if cfg.CrossSite {
		m.Cookie.SameSite = http.SameSiteNoneMode
		m.Cookie.Partitioned = true
	}
	return &sessions{scs: m, absolute: cfg.SessionAbsolute, now: cfg.Now}
}

// cookieName is the name with the __Host- prefix where browsers honour it
// (RFC 6265bis section 4.1.3.2).
func cookieName(cfg Config, what string) string {
	if strings.HasPrefix(cfg.PublicURL, "https:") {
		return "__Host-trunkline_" + what
	}
	return "trunkline_" + what
}

// load reads the session of a request, once, and keeps nothing open. The login id
// is "" where there is none.
func (s *sessions) load(r *http.Request) (ctx context.Context, login string, err error) {
	token := ""
	if cookie, err := r.Cookie(s.scs.Cookie.Name); err == nil {
		token = cookie.Value
	}
	ctx, err = s.scs.Load(r.Context(), token)
	if err != nil {
		return nil, "", fmt.Errorf("webclient: session: %w", err)
	}
	return ctx, s.scs.GetString(ctx, sessionLogin), nil
}

// begin writes a session with a new token for login and sets the cookie. ctx is
// what load returned.
func (s *sessions) begin(ctx context.Context, w http.ResponseWriter, login string) error {
	if err := s.scs.RenewToken(ctx); err != nil {
		return fmt.Errorf("webclient: session: %w", err)
	}
	s.scs.Put(ctx, sessionLogin, login)
	s.scs.SetDeadline(ctx, s.now().Add(s.absolute).UTC())
	token, expiry, err := s.scs.Commit(ctx)
	if err != nil {
		return fmt.Errorf("webclient: session: %w", err)
	}
	s.scs.WriteSessionCookie(ctx, w, token, expiry)
	return nil
}

// end deletes the session and its cookie.
func (s *sessions) end(ctx context.Context, w http.ResponseWriter) error {
	s.scs.WriteSessionCookie(ctx, w, "", time.Time{})
	if s.scs.Token(ctx) == "" {
		return nil
	}
	if err := s.scs.Destroy(ctx); err != nil {
		return fmt.Errorf("webclient: session: %w", err)
	}
	return nil
}

// sessionCodec writes sessions as JSON, so that a person can read what is stored.
// Values are strings.
type sessionCodec struct{}

var _ scs.Codec = sessionCodec{}

type storedSession struct {
	Deadline int64             `json:"deadline"` // unix milliseconds
	Values   map[string]string `json:"values"`
}

// Encode is for scs.
func (sessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	stored := storedSession{Deadline: deadline.UnixMilli(), Values: make(map[string]string, len(values))}
	for name, value := range values {
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("webclient: session value %q is a %T, not a string", name, value)
		}
		stored.Values[name] = text
	}
	return json.Marshal(stored)
}

// Decode is for scs.
func (sessionCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	var stored storedSession
	if err := json.Unmarshal(data, &stored); err != nil {
		return time.Time{}, nil, fmt.Errorf("webclient: stored session: %w", err)
	}
	values := make(map[string]any, len(stored.Values))
	for name, text := range stored.Values {
		values[name] = text
	}
	return time.UnixMilli(stored.Deadline).UTC(), values, nil
}

// sessionStore keeps sessions in browser_sessions. Tokens arrive hashed.
type sessionStore struct {
	db  *sqldb.DB
	now func() time.Time
}

var _ scs.CtxStore = sessionStore{}

// FindCtx is for scs.
func (st sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data []byte
	err := st.db.QueryRowContext(ctx, `SELECT data FROM browser_sessions WHERE token = $1 AND expiry > $2`,
		token, st.now().UnixMilli()).Scan(&data)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return data, true, nil
}

// CommitCtx is for scs.
func (st sessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, err := st.db.ExecContext(ctx, `INSERT INTO browser_sessions (token, data, expiry) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`,
		token, data, expiry.UnixMilli())
	return err
}

// DeleteCtx is for scs.
func (st sessionStore) DeleteCtx(ctx context.Context, token string) error {
	_, err := st.db.ExecContext(ctx, `DELETE FROM browser_sessions WHERE token = $1`, token)
	return err
}

// Find, Commit and Delete complete scs.Store; scs calls the forms with a context.

// Find is FindCtx without a context.
func (st sessionStore) Find(token string) ([]byte, bool, error) {
	return st.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (st sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return st.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (st sessionStore) Delete(token string) error {
	return st.DeleteCtx(context.Background(), token)
}

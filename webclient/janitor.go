package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

const (
	endedLoginMemory = 30 * 24 * time.Hour // ended logins, finished imports
	followMemory     = 30 * 24 * time.Hour // follows that Mastodon has not told of again
	janitorPortion   = 200                 // rows per round
)

// tidy ends what has expired: every second logins, every minute the rest. It is
// woken when a login ended, to see whether its Mastodon token is still needed.
func (s *Server) tidy(ctx context.Context) error {
	ticker := time.NewTicker(s.pace.tidy)
	defer ticker.Stop()
	revokeAfter := map[string]revokeTry{}
	var swept, named time.Time
	for {
		s.note(ctx, "ending expired logins", s.endExpired(ctx))
		s.note(ctx, "revoking unused tokens", s.revokeUnused(ctx, revokeAfter))
		if now := time.Now(); now.Sub(swept) >= s.pace.sweep {
			swept = now
			s.note(ctx, "clearing away old rows", s.sweep(ctx))
			if now.Sub(named) >= s.pace.names {
				named = now
				s.note(ctx, "clearing away names", s.forgetNames(ctx))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.wakeTidy:
		}
	}
}

func (s *Server) note(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.ErrorContext(ctx, what+" failed; it is tried again", "error", err)
	}
}

// endExpired ends logins whose time is over, and those whose revocation failed.
func (s *Server) endExpired(ctx context.Context) error {
	ids, err := s.texts(ctx, `SELECT id FROM logins WHERE ended_at IS NULL AND expires_at <= $1
		ORDER BY expires_at LIMIT $2`, s.now(), janitorPortion)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return nil
		}
		s.endLogin(ctx, id, reasonExpired)
	}
	return nil
}

// revokeTry is when a token is tried again after its revocation failed.
type revokeTry struct {
	at   time.Time
	wait time.Duration
}

// tokenNeeds is the number of an account's live logins and device passwords, of the
// account a at the time $1. Either needs the Mastodon token: device passwords for
// telling whether their owner may still use the instance.
const tokenNeeds = `(SELECT count(*) FROM logins l WHERE l.account_id = a.id AND l.ended_at IS NULL AND l.expires_at > $1)
	+ (SELECT count(*) FROM credentials c WHERE c.account_id = a.id AND c.purpose = 'device' AND c.revoked_at IS NULL)`

// revokeUnused gives back the tokens of accounts that are signed in nowhere.
func (s *Server) revokeUnused(ctx context.Context, tries map[string]revokeTry) error {
	accounts, err := s.texts(ctx, `SELECT a.id FROM accounts a WHERE a.mastodon_token IS NOT NULL AND `+tokenNeeds+` = 0
		ORDER BY a.id LIMIT $2`, s.now(), janitorPortion)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		try := tries[account]
		if ctx.Err() != nil {
			return nil
		}
		if s.cfg.Now().Before(try.at) {
			continue
		}
		if s.revokeToken(ctx, account) {
			delete(tries, account)
			continue
		}
		try.wait = min(max(2*try.wait, s.pace.revokeRetry), time.Hour)
		try.at = s.cfg.Now().Add(try.wait)
		tries[account] = try
	}
	return nil
}

// revokeToken revokes account's Mastodon token if nothing needs it, and forgets it. It tells whether there is nothing left to do. No login can be half
// made meanwhile: Mastodon may be handing it the same token.
func (s *Server) revokeToken(ctx context.Context, account string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.exchanges.Acquire(ctx, loginShare); err != nil {
		return false
	}
	defer s.exchanges.Release(loginShare)
	var live int
	var sealed []byte
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT mastodon_token, `+tokenNeeds+` FROM accounts a WHERE a.id = $2`, s.now(), account).Scan(&sealed, &live)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (live > 0 || sealed == nil) {
		return true
	}
	if err == nil {
		err = s.revokeSealed(ctx, account, sealed)
	}
	if err == nil {
		_, err = s.cfg.DB.ExecContext(ctx, `UPDATE accounts SET mastodon_token = NULL WHERE id = $1`, account)
	}
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "revoking a Mastodon token failed; it is tried again", "account", account, "error", err)
		return false
	}
	s.cfg.Log.InfoContext(ctx, "Mastodon token revoked: nothing needs it any more", "account", account)
	return true
}

// revokeSealed revokes at Mastodon what it can read. A token that no key opens, or
// whose app is gone, can only be forgotten.
func (s *Server) revokeSealed(ctx context.Context, account string, sealed []byte) error {
	plain, _, err := s.keys.open(tokenPurpose(account), sealed)
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "a stored Mastodon token cannot be read; it is forgotten", "account", account, "error", err)
		return nil
	}
	app, err := s.storedApp(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.cfg.Mastodon.Revoke(ctx, app, mastodon.Secret(plain))
	if errors.Is(err, mastodon.ErrDown) || errors.Is(err, mastodon.ErrRateLimited) || ctx.Err() != nil {
		return err
	}
	if err != nil { // a clear no: asking again brings nothing else
		s.cfg.Log.WarnContext(ctx, "the instance refuses to revoke a token; it is forgotten", "account", account, "error", err)
	}
	return nil
}

// sweep deletes rows that serve nobody any more.
func (s *Server) sweep(ctx context.Context) error {
	before := func(d time.Duration) int64 { return s.cfg.Now().Add(-d).UnixMilli() }
	for _, old := range []struct {
		query string
		time  int64
	}{
		{`DELETE FROM pending_logins WHERE created_at < $1`, before(pendingMemory)},
		{`DELETE FROM handoffs WHERE created_at < $1`, before(pendingMemory)},
		{`DELETE FROM browser_sessions WHERE expiry <= $1`, s.now()},
		{`DELETE FROM logins WHERE ended_at < $1`, before(endedLoginMemory)},
		{`DELETE FROM imports WHERE finished_at < $1`, before(endedLoginMemory)},
		{`DELETE FROM follows WHERE seen_at < $1`, before(followMemory)},
		{`DELETE FROM cursors WHERE name >= '` + followerPrefix + `' AND name < '` + followerEnd + `' AND at <= $1`, before(followerGone)},
	} {
		if _, err := s.cfg.DB.ExecContext(ctx, old.query, old.time); err != nil {
			return fmt.Errorf("webclient: sweep: %w", err)
		}
	}
	s.asked.prune(s.cfg.Now())
	return nil
}

// texts is the first column of a query's rows.
func (s *Server) texts(ctx context.Context, query string, args ...any) ([]string, error) {
	list, err := texts(s.cfg.DB.QueryContext(ctx, query, args...))
	if err != nil {
		return nil, fmt.Errorf("webclient: %w", err)
	}
	return list, nil
}

func texts(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

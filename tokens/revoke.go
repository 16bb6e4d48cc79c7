package tokens

import (
	"context"
	"database/sql"
	"fmt"
)

// Kinds of the revocation feed.
const (
	kindCredential = "credential"
	kindSession    = "session"
	kindAccount    = "account"
)

// RevokeCredential kills one credential. Like the other two it takes effect
// before it returns, tells every process through the feed, and is no error
// when there is nothing left to kill: streams may still hang on it. reason is a
// plain sentence, shown to the person.
func (s *Service) RevokeCredential(ctx context.Context, credential, reason string) error {
	return s.revoke(ctx, kindCredential, credential, reason,
		`UPDATE credentials SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`)
}

// RevokeSession kills all credentials of a browser session and lets it have no
// more.
func (s *Service) RevokeSession(ctx context.Context, session, reason string) error {
	if session == "" {
		return fmt.Errorf("tokens: revoke: no session named")
	}
	return s.revoke(ctx, kindSession, session, reason,
		`UPDATE credentials SET revoked_at = $1 WHERE session_id = $2 AND revoked_at IS NULL`)
}

// RevokeAccount kills all credentials of a person. New ones can be issued: to
// prevent that, suspend the account first.
func (s *Service) RevokeAccount(ctx context.Context, account, reason string) error {
	return s.revoke(ctx, kindAccount, account, reason,
		`UPDATE credentials SET revoked_at = $1 WHERE account_id = $2 AND revoked_at IS NULL`)
}

func (s *Service) revoke(ctx context.Context, kind, subject, reason, kill string) error {
	now := s.now().UnixMilli()
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, kill, now, subject); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO revocations (kind, subject, reason, at) VALUES ($1, $2, $3, $4)`,
			kind, subject, reason, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("tokens: revoke %s: %w", kind, err)
	}
	s.log.InfoContext(ctx, "revoked", "kind", kind, "subject", subject, "reason", reason)
	select {
	case s.wake <- struct{}{}:
	default: // already told
	}
	return nil
}

package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// IssueTemporary makes a password for one login of this account through this
// session. It returns the secret, which is told only here, and when it dies if
// not used before. Errors: ErrUnknownAccount, ErrSuspended, ErrBlocked,
// ErrSessionEnded, *RateLimitError, or what the database says.
func (s *Service) IssueTemporary(ctx context.Context, account, session string) (secret string, expires time.Time, err error) {
	if err := s.allow(account, session); err != nil {
		return "", time.Time{}, err
	}
	_, secret, expires, err = s.issue(ctx, account, session, purposeTemporary)
	return secret, expires, err
}

// IssueInternal makes a password for one login of ours in this person's name,
// for an import or to end a stream. It is not limited in rate, belongs to no
// session, and lives as long as a temporary one. username is the JID's
// localpart. Errors: as IssueTemporary, without the limit.
func (s *Service) IssueInternal(ctx context.Context, account string) (username, secret string, err error) {
	username, secret, _, err = s.issue(ctx, account, "", purposeInternal)
	return username, secret, err
}

func (s *Service) issue(ctx context.Context, account, session, purpose string) (username, secret string, expires time.Time, err error) {
	id, err := newID(s.rand)
	if err != nil {
		return "", "", time.Time{}, err
	}
	now := s.now()
	expires = now.Add(Unused)
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		if username, err = s.entitled(ctx, tx, account, session, purpose); err != nil {
			return err
		}
		if purpose == purposeTemporary {
			secret, err = s.temporarySecret(username, id, now, expires)
		} else {
			secret, err = newSecret(s.rand, prefixInternal)
		}
		if err != nil {
			return err
		}
		_, err := s.exec(ctx, tx, `INSERT INTO credentials
			(id, account_id, session_id, purpose, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			id, account, session, purpose, s.hash(secret), now.UnixMilli(), expires.UnixMilli())
		if err != nil {
			return fmt.Errorf("tokens: store credential: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", "", time.Time{}, err
	}
	s.log.DebugContext(ctx, "credential issued", "credential", id, "account", account, "session", session, "purpose", purpose)
	return username, secret, expires, nil
}

// entitled returns the username of an account that may have a credential now,
// and with ErrBlocked and ErrSuspended of one that may not.
// An internal one is given to a suspended account too: its streams must end.
func (s *Service) entitled(ctx context.Context, tx *sql.Tx, account, session, purpose string) (username string, err error) {
	var suspended, blocked sql.NullInt64
	err = s.row(ctx, tx, `SELECT username, suspended_at, blocked_at FROM accounts WHERE id = $1`, account).
		Scan(&username, &suspended, &blocked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", ErrUnknownAccount
	case err != nil:
		return "", fmt.Errorf("tokens: read account: %w", err)
	case blocked.Valid && purpose != purposeInternal:
		return username, ErrBlocked
	case suspended.Valid && purpose != purposeInternal:
		return username, ErrSuspended
	case session == "":
		return username, nil
	}
	// A credential that is asked for while its session is being revoked must not
	// outlive it.
	var ended bool
	err = s.row(ctx, tx, `SELECT EXISTS (SELECT 1 FROM revocations WHERE kind = 'session' AND subject = $1)`, session).
		Scan(&ended)
	switch {
	case err != nil:
		return "", fmt.Errorf("tokens: read revocations: %w", err)
	case ended:
		return "", ErrSessionEnded
	}
	return username, nil
}

package tokens

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Account is what is known of a person who logged in. Standing is Mastodon's
// last word ("good", "suspended", "disabled", "moved", "deleted",
// "unconfirmed"), StandingAt when it last was good. Device passwords count until
// TrustedUntil unless Mastodon is heard of before. Times that did not happen are
// zero.
type Account struct {
	ID, Username, DisplayName string
	Created, LastLogin        time.Time

	Standing                            string
	StandingAt, TrustedUntil, Suspended time.Time

	Blocked       time.Time // when the admin suspended the account
	BlockedReason string
	Devices       int // live device passwords
}

// Accounts calls f for each person who ever logged in, by username. f's error
// ends it and comes back.
func (s *Service) Accounts(ctx context.Context, f func(Account) error) error {
	return s.eachAccount(ctx, f, `ORDER BY a.username`)
}

// AccountNamed looks for a person by username, in any case.
func (s *Service) AccountNamed(ctx context.Context, username string) (a Account, found bool, err error) {
	err = s.eachAccount(ctx, func(one Account) error {
		a, found = one, true
		return nil
	}, `WHERE a.username = $1`, strings.ToLower(username))
	return a, found, err
}

func (s *Service) eachAccount(ctx context.Context, f func(Account) error, where string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, `SELECT a.id, a.username, a.display_name, a.created_at, a.last_login_at,
			a.standing, a.standing_at, a.trusted_until, coalesce(a.suspended_at, 0), coalesce(a.blocked_at, 0), a.blocked_reason,
			(SELECT count(*) FROM credentials c
				WHERE c.account_id = a.id AND c.purpose = 'device' AND c.revoked_at IS NULL)
		FROM accounts a `+where, args...)
	if err != nil {
		return fmt.Errorf("tokens: read accounts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a Account
		var created, login, standing, trusted, suspended, blocked int64
		if err := rows.Scan(&a.ID, &a.Username, &a.DisplayName, &created, &login,
			&a.Standing, &standing, &trusted, &suspended, &blocked, &a.BlockedReason, &a.Devices); err != nil {
			return fmt.Errorf("tokens: read accounts: %w", err)
		}
		a.Created, a.LastLogin, a.StandingAt = fromMilli(created), fromMilli(login), fromMilli(standing)
		a.TrustedUntil, a.Suspended, a.Blocked = fromMilli(trusted), fromMilli(suspended), fromMilli(blocked)
		if err := f(a); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("tokens: read accounts: %w", err)
	}
	return nil
}

// BlockAccount is the admin's suspension: nothing of the account is accepted
// until UnblockAccount, whatever Mastodon says. Its streams end; its device
// passwords stay for when it comes back. Blocking a blocked account changes the
// reason, which is a plain sentence, shown to the person. Error:
// ErrUnknownAccount, or what the database says.
func (s *Service) BlockAccount(ctx context.Context, account, reason string) error {
	r := Revocation{Kind: kindAccount, Subject: account, Account: account, Reason: reason, At: s.now()}
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		if err := s.db.Serialize(ctx, tx, feedChannel); err != nil {
			return err
		}
		n, err := s.exec(ctx, tx, `UPDATE accounts SET blocked_at = coalesce(blocked_at, $1), blocked_reason = $2
			WHERE id = $3`, r.At.UnixMilli(), reason, account)
		switch {
		case err != nil:
			return err
		case n == 0:
			return ErrUnknownAccount
		}
		return s.end(ctx, tx, &r, `account_id = $1 AND purpose <> 'device'`, nameOfAccount)
	})
	if err != nil {
		return fmt.Errorf("tokens: block account: %w", err)
	}
	s.told(ctx, r)
	s.record("suspend", r.Username, account, "", "ok", reason)
	return nil
}

// UnblockAccount ends a BlockAccount: device passwords work again as they are.
// An account that is not blocked stays so. Error: ErrUnknownAccount, or what the
// database says.
func (s *Service) UnblockAccount(ctx context.Context, account, reason string) error {
	var username string
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE accounts SET blocked_at = NULL, blocked_reason = '' WHERE id = $1`, account)
		switch {
		case err != nil:
			return err
		case n == 0:
			return ErrUnknownAccount
		}
		return s.row(ctx, tx, `SELECT username FROM accounts WHERE id = $1`, account).Scan(&username)
	})
	if err != nil {
		return fmt.Errorf("tokens: unblock account: %w", err)
	}
	s.log.InfoContext(ctx, "account restored", "account", account, "reason", reason)
	s.record("restore", username, account, "", "ok", reason)
	return nil
}

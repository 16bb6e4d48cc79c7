package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kinds of the revocation feed.
const (
	kindCredential = "credential"
	kindSession    = "session"
	kindAccount    = "account"
)

// feedChannel is where processes that share a database tell each other of new
// entries.
const feedChannel = "revocations"

// RevokeCredential kills one credential. Like the other two it takes effect
// before it returns, tells every process through the feed, and is no error
// when there is nothing left to kill: streams may still hang on it. reason is a
// plain sentence, shown to the person.
func (s *Service) RevokeCredential(ctx context.Context, credential, reason string) error {
	return s.revoke(ctx, &Revocation{Kind: kindCredential, Subject: credential, Reason: reason}, `id = $1`,
		`SELECT c.account_id, a.username, c.purpose FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE c.id = $1`)
}

// RevokeSession kills all credentials of a browser session and lets it have no
// more.
func (s *Service) RevokeSession(ctx context.Context, session, reason string) error {
	if session == "" {
		return fmt.Errorf("tokens: revoke: no session named")
	}
	return s.revoke(ctx, &Revocation{Kind: kindSession, Subject: session, Reason: reason}, `session_id = $1`,
		`SELECT l.account_id, a.username, 'temporary' FROM logins l JOIN accounts a ON a.id = l.account_id WHERE l.id = $1`)
}

// RevokeAccount kills all credentials of a person, those of devices too. New
// ones can be issued: to prevent that, suspend the account first.
func (s *Service) RevokeAccount(ctx context.Context, account, reason string) error {
	return s.revoke(ctx, &Revocation{Kind: kindAccount, Subject: account, Account: account, Reason: reason},
		`account_id = $1`, nameOfAccount)
}

// EndAccount closes the account's streams, whatever they were opened with, and
// kills its temporary and internal credentials; device passwords stay, for when
// the account comes back.
func (s *Service) EndAccount(ctx context.Context, account, reason string) error {
	return s.revoke(ctx, &Revocation{Kind: kindAccount, Subject: account, Account: account, Reason: reason},
		`account_id = $1 AND purpose <> 'device'`, nameOfAccount)
}

// EndName closes the sessions of a person who has no account here, and who got in
// with a password that Trunkline did not make.
func (s *Service) EndName(ctx context.Context, username, reason string) error {
	r := Revocation{Kind: kindAccount, Username: strings.ToLower(username), Reason: reason, At: s.now()}
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		if err := s.db.Serialize(ctx, tx, feedChannel); err != nil {
			return err
		}
		return s.write(ctx, tx, r)
	})
	if err != nil {
		return fmt.Errorf("tokens: end a name: %w", err)
	}
	s.told(ctx, r)
	return nil
}

const nameOfAccount = `SELECT id, username, '' FROM accounts WHERE id = $1`

// revoke kills the credentials that which selects by the subject, $1, and
// appends the entry. whose tells account, username and purpose of the subject.
func (s *Service) revoke(ctx context.Context, r *Revocation, which, whose string) error {
	r.At = s.now()
	err := s.db.Update(ctx, func(tx *sql.Tx) error { return s.end(ctx, tx, r, which, whose) })
	if err != nil {
		return fmt.Errorf("tokens: revoke %s: %w", r.Kind, err)
	}
	s.told(ctx, *r)
	return nil
}

func (s *Service) end(ctx context.Context, tx *sql.Tx, r *Revocation, which, whose string) error {
	if err := s.db.Serialize(ctx, tx, feedChannel); err != nil {
		return err
	}
	var account string
	err := s.row(ctx, tx, whose, r.Subject).Scan(&account, &r.Username, &r.Purpose)
	switch {
	case err == nil:
		r.Account = account
	case !errors.Is(err, sql.ErrNoRows): // it is long gone, or nobody knows it: streams may hang on it yet
		return err
	}
	if err := s.kill(ctx, tx, r.At, which, r.Subject); err != nil {
		return err
	}
	return s.write(ctx, tx, *r)
}

// kill revokes what which selects by $1. What a phone could sign in with goes at
// once; the rows stay for a while to tell that they are revoked, and the janitor
// finds them by expires_at.
func (s *Service) kill(ctx context.Context, tx *sql.Tx, now time.Time, which, subject string) error {
	_, err := s.exec(ctx, tx, `DELETE FROM sip_digests WHERE credential_id IN
		(SELECT id FROM credentials WHERE revoked_at IS NULL AND service = 'sip' AND `+which+`)`, subject)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, tx, `UPDATE credentials
		SET revoked_at = $2, expires_at = CASE WHEN purpose = 'device' THEN $3 ELSE expires_at END
		WHERE revoked_at IS NULL AND `+which, subject, now.UnixMilli(), now.Add(revokedKept).UnixMilli())
	return err
}

// write appends the entry and wakes those who follow in other processes.
func (s *Service) write(ctx context.Context, tx *sql.Tx, r Revocation) error {
	_, err := s.exec(ctx, tx, `INSERT INTO revocations
		(kind, subject, reason, at, account_id, username, purpose) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		r.Kind, r.Subject, r.Reason, r.At.UnixMilli(), r.Account, r.Username, r.Purpose)
	if err != nil {
		return err
	}
	return s.db.Notify(ctx, tx, feedChannel)
}

// told logs what was revoked and wakes Run.
func (s *Service) told(ctx context.Context, r Revocation) {
	s.log.InfoContext(ctx, "revoked", "kind", r.Kind, "subject", r.Subject, "account", r.Account, "reason", r.Reason)
	select {
	case s.wake <- struct{}{}:
	default: // already told
	}
}

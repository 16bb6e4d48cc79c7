package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// localName is what Mastodon allows as a local name, in lower case; every such
// name is a localpart as it stands (RFC 7622 section 3.3).
var localName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]{0,62}[a-z0-9_])?$`)

func tokenPurpose(account string) string { return "accounts.mastodon_token:" + account }

// saveAccount keeps what Mastodon says of a person who signs in, and their token.
// The name belongs to the id that had it first. asked is when Mastodon was asked:
// bad news that came since then stands.
func (s *Server) saveAccount(ctx context.Context, app mastodon.App, person mastodon.Account, token mastodon.Token, asked int64) error {
	username := strings.ToLower(person.Username)
	if person.ID == "" || !localName.MatchString(username) {
		return failed(codeInvalid, fmt.Errorf("account id %q, username %q", person.ID, person.Username))
	}
	sealed, err := s.keys.seal(tokenPurpose(person.ID), []byte(token.Access))
	if err != nil {
		return err
	}
	var before claimed
	err = s.cfg.DB.Update(ctx, func(tx *sql.Tx) error {
		if before, err = s.claimName(ctx, tx, person.ID, username, asked); err != nil {
			return err
		}
		now := s.now()
		_, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, username, display_name, avatar_url, profile_url,
			mastodon_token, token_scopes, created_at, last_login_at, standing_at, trusted_until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, avatar_url = excluded.avatar_url,
			profile_url = excluded.profile_url, mastodon_token = excluded.mastodon_token,
			token_scopes = excluded.token_scopes, last_login_at = excluded.last_login_at,
			suspended_at = NULL, standing = 'good', standing_at = excluded.standing_at, trusted_until = excluded.trusted_until`,
			person.ID, username, person.DisplayName, person.Avatar, person.URL, sealed,
			strings.Join(token.Scopes, " "), now, now, asked, asked+s.cfg.Grace.Milliseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("webclient: account: %w", err)
	}
	if before.refused {
		s.record(username, person.ID, standingGood, byLogin)
	}
	s.dropReplaced(ctx, app, person.ID, before.token, token)
	return nil
}

// claimed is what is known of an account before its person signs in.
type claimed struct {
	token   []byte // sealed, nil if there is none
	refused bool   // by Mastodon
}

// claimName makes sure that username is id's or nobody's, that no admin blocked it,
// and that Mastodon has not refused it after asked.
func (s *Server) claimName(ctx context.Context, tx *sql.Tx, id, username string, asked int64) (before claimed, err error) {
	var owner string
	err = tx.QueryRowContext(ctx, `SELECT id FROM accounts WHERE username = $1`, username).Scan(&owner)
	if err == nil && owner != id {
		return claimed{}, failed(codeNameTaken, fmt.Errorf("%q is bound to account %s and account %s asks for it; "+
			"if they are the same person, run: trunkline account rebind %s %s", username, owner, id, username, id))
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return claimed{}, err
	}
	var name, standing string
	var blocked bool
	var since int64
	err = tx.QueryRowContext(ctx, `SELECT username, mastodon_token, blocked_at IS NOT NULL, standing, suspended_at IS NOT NULL,
		COALESCE(suspended_at, 0) FROM accounts WHERE id = $1`, id).
		Scan(&name, &before.token, &blocked, &standing, &before.refused, &since)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return claimed{}, nil
	case err != nil:
		return claimed{}, err
	case name != username:
		return claimed{}, failed(codeNameTaken, fmt.Errorf("account %s was %q and is now %q; chat addresses do not change with names",
			id, name, username))
	case blocked:
		return claimed{}, failed(codeBlocked, nil)
	case since > asked:
		return claimed{}, failed(standingCodes[standing], errors.New("the instance has refused the account meanwhile"))
	}
	return before, nil
}

// dropReplaced revokes the token that a new one took the place of. Mastodon gives
// the same one again, other servers do not, and then nobody would ever revoke it.
func (s *Server) dropReplaced(ctx context.Context, app mastodon.App, account string, before []byte, token mastodon.Token) {
	if before == nil {
		return
	}
	old, _, err := s.keys.open(tokenPurpose(account), before)
	if err != nil || string(old) == string(token.Access) {
		return
	}
	if err := s.cfg.Mastodon.Revoke(ctx, app, mastodon.Secret(old)); err != nil {
		s.cfg.Log.WarnContext(ctx, "revoking a replaced token failed", "account", account, "error", err)
	}
}

// token is account's Mastodon token, errLoginAgain if there is none that opens.
func (s *Server) token(ctx context.Context, account string) (mastodon.Secret, error) {
	sealed, err := s.sealedToken(ctx, account)
	if err != nil {
		return "", err
	}
	return s.openToken(ctx, account, sealed)
}

// sealedToken is the token as it is stored, errLoginAgain if there is none.
func (s *Server) sealedToken(ctx context.Context, account string) (sealed []byte, err error) {
	err = s.cfg.DB.QueryRowContext(ctx, `SELECT mastodon_token FROM accounts WHERE id = $1`, account).Scan(&sealed)
	switch {
	case noRow(err) || err == nil && sealed == nil:
		return nil, errLoginAgain
	case err != nil:
		return nil, fmt.Errorf("webclient: token: %w", err)
	}
	return sealed, nil
}

// openToken is errLoginAgain where no key opens it.
func (s *Server) openToken(ctx context.Context, account string, sealed []byte) (mastodon.Secret, error) {
	plain, _, err := s.keys.open(tokenPurpose(account), sealed)
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "a stored Mastodon token cannot be read", "account", account, "error", err)
		return "", errLoginAgain
	}
	return mastodon.Secret(plain), nil
}

const reasonRebound = "rebound"

// revokeAgain is for the transaction that deletes an account whose credentials were
// revoked before: whatever was made and used since then goes with the row, and what
// was opened with it must end, too.
func (s *Server) revokeAgain(ctx context.Context, tx *sql.Tx, account, username, reason string) error {
	const feed = "revocations"
	if err := s.cfg.DB.Serialize(ctx, tx, feed); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO revocations (kind, subject, reason, at, account_id, username)
		VALUES ('account', $1, $2, $3, $1, $4)`, account, reason, s.now(), username)
	if err != nil {
		return err
	}
	return s.cfg.DB.Notify(ctx, tx, feed)
}

// Rebind gives the chat address of username to the Mastodon account newID, which
// an admin has found to be the rightful one. Everything that Trunkline knew of the
// account before goes, consent too: it may be another person. What the XMPP server
// keeps under the address stays. Only newID can sign in with the name afterwards.
func (s *Server) Rebind(ctx context.Context, username, newID string) error {
	username = strings.ToLower(username)
	if newID == "" || !localName.MatchString(username) {
		return fmt.Errorf("webclient: rebind: %q is not a name, or the new id is empty", username)
	}
	var oldID string
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT id FROM accounts WHERE username = $1`, username).Scan(&oldID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("webclient: rebind: nobody called %q has signed in yet", username)
	case err != nil:
		return fmt.Errorf("webclient: rebind: %w", err)
	case oldID == newID:
		return fmt.Errorf("webclient: rebind: %q is bound to account %s already", username, newID)
	}
	if err := s.endAccount(ctx, oldID, reasonRebound); err != nil {
		return err
	}
	s.revokeToken(ctx, oldID)
	err = s.cfg.DB.Update(ctx, func(tx *sql.Tx) error {
		if err := s.revokeAgain(ctx, tx, oldID, username, reasonRebound); err != nil {
			return err
		}
		var other string
		err := tx.QueryRowContext(ctx, `SELECT username FROM accounts WHERE id = $1`, newID).Scan(&other)
		if err == nil {
			return fmt.Errorf("account %s is bound to %q already", newID, other)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM accounts WHERE id = $1`, oldID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO accounts (id, username, created_at, last_login_at)
			VALUES ($1, $2, $3, $4)`, newID, username, s.now(), int64(0))
		return err
	})
	if err != nil {
		return fmt.Errorf("webclient: rebind: %w", err)
	}
	s.cfg.Log.WarnContext(ctx, "account rebound", "username", username, "from", oldID, "to", newID)
	return nil
}

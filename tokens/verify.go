package tokens

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Verify says whether secret is this person's password now; it is what an XMPP
// server asks at a login. The first success starts the credential's last
// AfterUse. An error means that it cannot be told now; it is never a "no".
func (s *Service) Verify(ctx context.Context, username, secret string) (ok bool, err error) {
	// Whoever loses the race for the first use finds it used at the second look.
	for range 2 {
		c, err := s.find(ctx, username, secret)
		if err != nil || c == nil {
			return false, err
		}
		if c.used {
			return true, nil
		}
		first, err := s.markUsed(ctx, c.id)
		if err != nil {
			return false, err
		}
		if first {
			s.log.DebugContext(ctx, "credential used", "credential", c.id, "account", c.account)
			return true, nil
		}
	}
	return false, nil // it died between the two looks
}

// Lookup says whose secret it is by the same rule, without counting as a use:
// the gateway calls it for a login that the XMPP server will verify.
func (s *Service) Lookup(ctx context.Context, username, secret string) (account, session, credential string, ok bool, err error) {
	c, err := s.find(ctx, username, secret)
	if err != nil || c == nil {
		return "", "", "", false, err
	}
	return c.account, c.session, c.id, true, nil
}

// Exists says whether a person of this name has ever logged in; a suspended one
// still exists. An error means that it cannot be told now.
func (s *Service) Exists(ctx context.Context, username string) (exists bool, err error) {
	if !usable(username) {
		return false, nil
	}
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM accounts WHERE username = $1)`, strings.ToLower(username)).
		Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("tokens: read account: %w", err)
	}
	return exists, nil
}

// credential is a live one.
type credential struct {
	id, account, session string
	used                 bool
}

// find returns the live credential with this secret if it is username's, or
// nil.
func (s *Service) find(ctx context.Context, username, secret string) (*credential, error) {
	purpose, err := parseSecret(secret)
	if err != nil || !usable(username) {
		return nil, nil
	}
	hash := s.hash(secret)
	var (
		c                             credential
		stored                        []byte
		owner, kind                   string
		expires                       int64
		firstUsed, revoked, suspended sql.NullInt64
	)
	err = s.db.QueryRowContext(ctx, `SELECT c.id, c.account_id, c.session_id, c.purpose, c.hash, c.expires_at,
			c.first_used_at, c.revoked_at, a.username, a.suspended_at
		FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE c.hash = $1`, hash).
		Scan(&c.id, &c.account, &c.session, &kind, &stored, &expires, &firstUsed, &revoked, &owner, &suspended)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tokens: read credential: %w", err)
	}
	c.used = firstUsed.Valid
	mine := subtle.ConstantTimeCompare(stored, hash) &
		subtle.ConstantTimeCompare([]byte(owner), []byte(strings.ToLower(username))) &
		subtle.ConstantTimeCompare([]byte(kind), []byte(purpose))
	alive := !revoked.Valid && s.now().UnixMilli() < expires && (!suspended.Valid || kind == purposeInternal)
	if mine != 1 || !alive {
		return nil, nil
	}
	return &c, nil
}

// markUsed notes the first success and shortens the credential's life; first is
// false if it was used, revoked or expired meanwhile.
func (s *Service) markUsed(ctx context.Context, id string) (first bool, err error) {
	now := s.now()
	result, err := s.db.ExecContext(ctx, `UPDATE credentials
		SET first_used_at = $1, last_used_at = $1, expires_at = $2
		WHERE id = $3 AND first_used_at IS NULL AND revoked_at IS NULL AND expires_at > $1`,
		now.UnixMilli(), now.Add(AfterUse).UnixMilli(), id)
	if err != nil {
		return false, fmt.Errorf("tokens: note first use: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("tokens: note first use: %w", err)
	}
	return n == 1, nil
}

// usable says whether a name can be anybody's. RFC 7622 section 3.3.1 bounds a
// localpart at 1,023 bytes.
func usable(username string) bool {
	return username != "" && len(username) <= 1023 &&
		!strings.ContainsFunc(username, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

var _ interface {
	Verify(ctx context.Context, username, secret string) (bool, error)
	Exists(ctx context.Context, username string) (bool, error)
} = (*Service)(nil)

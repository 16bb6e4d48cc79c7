package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// AccessLife is how long an access token lives.
const AccessLife = time.Minute

// scopeXMPP is what access tokens are good for.
const scopeXMPP = "xmpp"

// MintAccess checks a password like Check and, if it is right, makes an access
// token (RFC 6749 section 1.4) that stands for it until expires, which is never
// later than the credential's own end. It dies with the credential and with the
// account's welcome.
func (s *Service) MintAccess(ctx context.Context, a Attempt) (token string, expires time.Time, v Verdict, err error) {
	v, err = s.Check(ctx, a)
	if err != nil || !v.OK {
		return "", time.Time{}, v, err
	}
	if token, err = newSecret(s.rand, prefixAccess); err != nil {
		return "", time.Time{}, Verdict{}, err
	}
	var end sql.NullInt64
	if err = s.row(ctx, nil, `SELECT expires_at FROM credentials WHERE id = $1`, v.Credential).Scan(&end); err != nil {
		return "", time.Time{}, Verdict{}, fmt.Errorf("tokens: read credential: %w", err)
	}
	now := s.now()
	expires = now.Add(AccessLife)
	if end.Valid && end.Int64 < expires.UnixMilli() {
		expires = fromMilli(end.Int64)
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO access_tokens
		(hash, credential_id, account_id, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		s.hashAccess(token), v.Credential, v.Account, scopeXMPP, now.UnixMilli(), expires.UnixMilli())
	if err != nil {
		return "", time.Time{}, Verdict{}, fmt.Errorf("tokens: store access token: %w", err)
	}
	return token, expires, v, nil
}

// Access says whose access token this is, if it is a live one of ours; one that
// Mastodon gave out never is. An error means that it cannot be told now.
func (s *Service) Access(ctx context.Context, token string) (username, account string, ok bool, err error) {
	body, mine := strings.CutPrefix(token, prefixAccess)
	if !mine || len(body) != base32Lower.EncodedLen(secretBytes) || strings.ContainsFunc(body, foreign) {
		return "", "", false, nil
	}
	var internal bool
	var expires int64
	var end, revoked, suspended, blocked sql.NullInt64
	err = s.row(ctx, nil, `SELECT a.username, a.id, c.purpose = 'internal', t.expires_at, c.expires_at, c.revoked_at, a.suspended_at, a.blocked_at
		FROM access_tokens t JOIN credentials c ON c.id = t.credential_id JOIN accounts a ON a.id = c.account_id
		WHERE t.hash = $1`, s.hashAccess(token)).
		Scan(&username, &account, &internal, &expires, &end, &revoked, &suspended, &blocked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", "", false, nil
	case err != nil:
		return "", "", false, fmt.Errorf("tokens: read access token: %w", err)
	}
	now := s.now().UnixMilli()
	switch {
	case now >= expires || end.Valid && now >= end.Int64:
		return "", "", false, nil
	case revoked.Valid, !internal && (suspended.Valid || blocked.Valid):
		return "", "", false, nil
	}
	return username, account, true, nil
}

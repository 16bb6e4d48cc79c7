package tokens

import (
	"context"
	"fmt"
	"strings"
)

// Verify is Check for XMPP without the reason.
func (s *Service) Verify(ctx context.Context, username, secret string) (ok bool, err error) {
	v, err := s.Check(ctx, Attempt{Service: ServiceXMPP, Username: username, Secret: secret})
	return v.OK, err
}

// Lookup says whose secret it is by the same rule, without counting as a use and
// without asking Mastodon: the gateway calls it for a login that the XMPP server
// will verify.
func (s *Service) Lookup(ctx context.Context, username, secret string) (account, session, credential string, ok bool, err error) {
	_, v, err := s.look(ctx, Attempt{Service: ServiceXMPP, Username: username, Secret: secret})
	if err != nil || !v.OK {
		return "", "", "", false, err
	}
	return v.Account, v.Session, v.Credential, true, nil
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

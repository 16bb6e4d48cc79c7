package tokens

import (
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// temporarySecret makes the secret of a temporary credential: random bits, or
// where a JWTKey is configured a JSON Web Token (RFC 7519, HS256) that an XMPP
// server with the same key can verify without asking. We never do: a token of
// ours is found by its hash like any other secret, and counts only while its row
// does.
//
// Its jti is the credential's id, so that what the XMPP server logs of a token
// and what our log and audit record say of a login can be put together. That
// gives nothing away: an id is no secret, it stands in logs and lists, and nothing
// can be had for it; and who reads it in a token holds the secret itself.
func (s *Service) temporarySecret(username, id string, now, expires time.Time) (string, error) {
	if len(s.jwtKey) == 0 {
		return newSecret(s.rand, prefixTemporary)
	}
	// Numbers, not strings: ejabberd refuses a token whose exp is text.
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"jid": username + "@" + s.jwtDomain,
		"exp": expires.Unix(),
		"iat": now.Unix(),
		"jti": id,
	}).SignedString(s.jwtKey)
	switch {
	case err != nil:
		return "", fmt.Errorf("tokens: sign: %w", err)
	case len(token) > MaxSecretBytes:
		return "", fmt.Errorf("tokens: a token of %d bytes is longer than a password may be", len(token))
	}
	return token, nil
}

// parseJWT looks at the form alone: three parts in base64url (RFC 7515 section
// 7.1). Whether it is one of ours, its hash says.
func parseJWT(s string) (purpose, spelt string, err error) {
	if strings.Count(s, ".") != 2 || strings.HasSuffix(s, ".") || strings.Contains(s, "..") ||
		strings.ContainsFunc(s, notBase64URL) {
		return "", "", errNotASecret
	}
	return purposeTemporary, s, nil
}

func notBase64URL(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

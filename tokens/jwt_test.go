package tokens

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

var jwtKey = bytes.Repeat([]byte{7}, 32)

func withJWT(c *Config) { c.JWTKey, c.JWTDomain = jwtKey, "example.org" }

// What ejabberd needs to verify a token by itself: HS256, jid, and exp as a
// number.
func TestTemporaryCredentialAsJWT(t *testing.T) {
	f := newFixture(t, withJWT)
	secret := f.issue()
	parts := strings.Split(secret, ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	_, _, credential, ok := f.lookup("alice", secret)
	require.True(t, ok)
	now := f.clock.Now()
	require.Equal(t, map[string]any{
		"jid": "alice@example.org", "jti": credential,
		"iat": float64(now.Unix()), "exp": float64(now.Add(2 * time.Minute).Unix()),
	}, claims)
	_, err = jwt.Parse(secret, func(*jwt.Token) (any, error) { return jwtKey, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(f.clock.Now), jwt.WithExpirationRequired())
	require.NoError(t, err)

	require.Equal(t, ReasonOK, f.ask("alice", secret), "by its hash, like any other")
	f.clock.advance(AfterUse)
	require.Equal(t, ReasonExpired, f.ask("alice", secret))
	require.Regexp(t, `^tli_`, f.issueInternal())
	_, device := f.device(ServiceXMPP, "Phone")
	require.Regexp(t, `^tld-`, device)
}

// A token that anybody signed, with our own key or none, is nothing unless it
// was issued here and is not revoked.
func TestForeignJWTs(t *testing.T) {
	f := newFixture(t, withJWT)
	secret := f.issue()
	claims := jwt.MapClaims{"jid": "alice@example.org", "exp": f.clock.Now().Add(time.Hour).Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(jwtKey)
	require.NoError(t, err)
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	for _, s := range []string{
		signed, unsigned, secret + "x", strings.ToLower(secret), secret[:strings.LastIndex(secret, ".")], "eyJ", "eyJ..", "eyJ.a.",
		strings.Replace(secret, ".", "..", 1), secret + " ",
	} {
		require.Equal(t, ReasonUnknownSecret, f.ask("alice", s), "%q", s)
	}
	require.Equal(t, ReasonWrongUser, f.ask("bob", secret))
	require.NoError(t, f.RevokeSession(t.Context(), "s", "signed out"))
	require.Equal(t, ReasonRevoked, f.ask("alice", secret))
	require.NotContains(t, f.log.String(), secret[10:])
}

func TestUselessJWTConfig(t *testing.T) {
	f := newFixture(t, nil)
	_, err := New(Config{DB: f.db, Key: testKey, JWTKey: jwtKey[:31], JWTDomain: "example.org"})
	require.ErrorContains(t, err, "at least 32")
	_, err = New(Config{DB: f.db, Key: testKey, JWTKey: jwtKey})
	require.ErrorContains(t, err, "domain")
	f = newFixture(t, withJWT)
	f.exec(`UPDATE accounts SET username = $1 WHERE id = '1'`, strings.Repeat("a", 800))
	_, _, err = f.IssueTemporary(t.Context(), "1", "s")
	require.ErrorContains(t, err, "longer than a password may be")
}

package main

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens"
)

// ejabberd checks the panel's passwords by itself, with the configuration of
// contrib/ejabberd/jwt.yml, and asks Trunkline about all others.
func TestEjabberdChecksTokensByItself(t *testing.T) {
	key := bytes.Repeat([]byte{9}, 32)
	s := newEjStack(t, tokens.Config{JWTKey: key, JWTDomain: ejDomain})
	token := s.temporary("alice")
	require.Equal(t, 2, strings.Count(token, "."), "a JSON web token")
	s.setFault(nil)
	require.Equal(t, "", s.login("alice", token))
	require.Zero(t, s.questions(), "nobody was asked")
	s.down()
	require.Equal(t, "", s.login("alice", token), "not even when nobody can be asked")
	s.up()

	require.Equal(t, refused, s.login("bob", token), "another person's")
	head, rest, _ := strings.Cut(token, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(claims)
	require.NoError(t, err)
	forged := base64.RawURLEncoding.EncodeToString(bytes.Replace(text, []byte("alice@"), []byte("bob@"), 1))
	require.NotEqual(t, claims, forged)
	require.Equal(t, refused, s.login("bob", head+"."+forged+"."+signature), "tampered with")
	require.Equal(t, refused, s.login("alice", token[:len(token)-4]+"AAAA"), "another signature")

	claim := func(name string, expires time.Time, method jwt.SigningMethod, key any) string {
		token, err := jwt.NewWithClaims(method, jwt.MapClaims{"jid": name + "@" + ejDomain, "exp": expires.Unix()}).SignedString(key)
		require.NoError(t, err)
		return token
	}
	soon := time.Now().Add(time.Minute)
	require.Equal(t, "", s.login("bob", claim("bob", soon, jwt.SigningMethodHS256, key)), "the test's own are as good")
	require.Equal(t, refused, s.login("bob", claim("bob", time.Now().Add(-time.Second), jwt.SigningMethodHS256, key)), "expired")
	require.Equal(t, refused, s.login("bob", claim("bob", soon, jwt.SigningMethodHS256, bytes.Repeat([]byte{8}, 32))), "another key")
	require.Equal(t, refused, s.login("bob", claim("bob", soon, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)), "no signature")
}

func TestDevicePasswordsWorkBesideTokens(t *testing.T) {
	s := newEjStack(t, tokens.Config{JWTKey: bytes.Repeat([]byte{9}, 32), JWTDomain: ejDomain})
	id, password := s.device("alice")
	require.Equal(t, "", s.login("alice", password))
	require.Equal(t, refused, s.login("bob", password))
	s.revoke("alice", id)
	require.Equal(t, refused, s.login("alice", password))

	bob := integration.Connect(t, s.ej, "bob", s.temporary("bob"), "b")
	bob.Say("<message to='alice@" + ejDomain + "' type='chat' id='m'><body>are you there</body></message>")
	for _, e := range bob.Sync() { // with jwt alone this comes back
		require.NotEqual(t, "error", e.Attrs["type"], e.XML)
	}
}

// What jwt.yml warns of: ejabberd does not hear that a token was revoked.
func TestARevokedTokenWorksUntilItRunsOut(t *testing.T) {
	s := newEjStack(t, tokens.Config{JWTKey: bytes.Repeat([]byte{9}, 32), JWTDomain: ejDomain})
	token := s.temporary("alice")
	require.NoError(t, s.tokens.RevokeSession(t.Context(), "session-alice", "The person signed out."))
	ok, err := s.tokens.Verify(t.Context(), "alice", token)
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, "", s.login("alice", token))
}

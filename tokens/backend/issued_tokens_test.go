package backend_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// eavesdropper is a Fallback that must hear no password that is right.
type eavesdropper struct{ heard []string }

func (e *eavesdropper) Check(_ context.Context, _, password string) (ok bool, reason string, err error) {
	e.heard = append(e.heard, password)
	return false, "wrong_password", nil
}

// accepted checks a secret and says whether it is alice's; if it is, nobody else
// may have been asked about it.
func accepted(tb testing.TB, service *tokens.Service, secret string) bool {
	tb.Helper()
	known, err := service.Check(tb.Context(), tokens.Attempt{Service: "xmpp", Username: "alice", Secret: secret})
	require.NoError(tb, err)
	others := &eavesdropper{}
	core, err := backend.NewCore(backend.CoreConfig{Verifier: verifier{service}, Fallback: others, Domain: domain})
	require.NoError(tb, err)
	r := core.Auth(tb.Context(), backend.Question{Front: "prosody", User: "alice", Secret: secret})
	if known.OK {
		require.Empty(tb, others.heard, "%q went to somebody else", secret)
		require.Equal(tb, backend.Yes, r.Answer)
	}
	return known.OK
}

// Whatever tokens takes for a device's password, in any spelling, and its web
// tokens are shown to nobody else.
func TestNoPasswordOfOursGoesElsewhere(t *testing.T) {
	s := newTokens(t)
	phone := s.device("alice").secret
	spellings := 0
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.Pd, unicode.White_Space, unicode.Cf) {
			continue
		}
		for _, spelt := range []string{
			strings.ReplaceAll(phone, "-", string(r)),
			string(r) + strings.ToUpper(strings.ReplaceAll(phone, "-", "")) + string(r),
		} {
			if accepted(t, s.tokens, spelt) {
				spellings++
			}
		}
	}
	require.Greater(t, spellings, 2*20, "every dash and a few spaces")

	service, err := tokens.New(tokens.Config{
		DB: s.db, Key: bytes.Repeat([]byte{7}, 32), Now: s.clock.Now,
		JWTKey: bytes.Repeat([]byte{8}, 32), JWTDomain: domain,
	})
	require.NoError(t, err)
	token, _, err := service.IssueTemporary(t.Context(), "id-alice", "session")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(token, "eyJ"), "a web token")
	require.True(t, accepted(t, service, token))
	plain, _, err := s.tokens.IssueTemporary(t.Context(), "id-alice", "session")
	require.NoError(t, err)
	require.True(t, accepted(t, s.tokens, plain))
}

// Spellings that nobody thought of.
func FuzzNoPasswordOfOursGoesElsewhere(f *testing.F) {
	s := newTokens(f)
	groups := strings.Split(s.device("alice").secret, "-")
	f.Add("-", "", "", false)
	f.Add("\u2013", " ", "\n", true)
	f.Add("\u202f", "\ufeff", "\u2014", false)
	f.Add("\u00ad", "\xff", "T", true)
	f.Fuzz(func(t *testing.T, gap, before, after string, capitals bool) {
		secret := before + strings.Join(groups, gap) + after
		if capitals {
			secret = strings.ToUpper(secret)
		}
		accepted(t, s.tokens, secret)
	})
}

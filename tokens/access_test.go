package tokens

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (f *fixture) mint(secret string) string {
	f.t.Helper()
	token, expires, v, err := f.MintAccess(f.t.Context(), Attempt{Service: ServiceXMPP, Username: "alice", Secret: secret, Front: "oauth"})
	require.NoError(f.t, err)
	require.True(f.t, v.OK, v.Reason)
	require.Regexp(f.t, `^tla_[a-z2-7]{32}$`, token)
	require.Equal(f.t, f.clock.Now().Add(AccessLife), expires)
	return token
}

func (f *fixture) access(token string) string {
	f.t.Helper()
	username, account, ok, err := f.Access(f.t.Context(), token)
	require.NoError(f.t, err)
	if !ok {
		require.Empty(f.t, username+account)
		return ""
	}
	return username + " " + account
}

func TestAccessTokenStandsForAPassword(t *testing.T) {
	f := newFixture(t, nil)
	_, secret := f.device(ServiceXMPP, "Phone")
	token := f.mint(secret)
	require.Equal(t, "alice 1", f.access(token))
	require.Equal(t, "alice 1", f.access(token), "more than once")
	for _, wrong := range []string{
		"", "tla_", flip(token), token + "a", token[4:], secret, f.issue(), "tla_" + token, "a Mastodon token of another app",
		"tla_\xff" + token[5:], string(f.hashAccess(token)),
	} {
		require.Empty(t, f.access(wrong), "%q", wrong)
	}
	require.Equal(t, ReasonUnknownSecret, f.ask("alice", token), "it is no password")
	f.clock.advance(AccessLife - time.Millisecond)
	require.Equal(t, "alice 1", f.access(token))
	f.clock.advance(time.Millisecond)
	require.Empty(t, f.access(token))
	require.NoError(t, f.tidy(t.Context()))
	require.Zero(t, f.count(`SELECT count(*) FROM access_tokens`))
	require.NotContains(t, f.log.String(), token[4:])
}

func TestAccessTokenIsOnlyForTheRightPassword(t *testing.T) {
	f := newFixture(t, nil)
	_, secret := f.device(ServiceXMPP, "Phone")
	for want, a := range map[string]Attempt{
		ReasonUnknownSecret: {Service: ServiceXMPP, Username: "alice", Secret: flip(secret)},
		ReasonWrongUser:     {Service: ServiceXMPP, Username: "bob", Secret: secret},
		ReasonWrongService:  {Service: ServiceSIP, Username: "alice", Secret: secret},
	} {
		token, _, v, err := f.MintAccess(t.Context(), a)
		require.NoError(t, err)
		require.Empty(t, token)
		require.Equal(t, want, v.Reason)
	}
	_, _, _, err := f.MintAccess(ended(t), Attempt{Service: ServiceXMPP, Username: "alice", Secret: secret})
	require.Error(t, err)
	_, _, _, err = f.Access(ended(t), "tla_"+flip(secret)[:0]+"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	require.Error(t, err, "cannot tell is no no")
	require.Zero(t, f.count(`SELECT count(*) FROM access_tokens`))
}

func TestAccessTokenDiesWithWhatItRestsOn(t *testing.T) {
	for name, kill := range map[string]func(f *fixture, d Device){
		"revoked": func(f *fixture, d Device) {
			_, err := f.RevokeDevice(f.t.Context(), "1", d.ID, "lost")
			require.NoError(f.t, err)
		},
		"suspended": func(f *fixture, _ Device) { f.exec(`UPDATE accounts SET suspended_at = 1`) },
		"blocked":   func(f *fixture, _ Device) { require.NoError(f.t, f.BlockAccount(f.t.Context(), "1", "spam")) },
		"run out": func(f *fixture, _ Device) {
			f.exec(`UPDATE credentials SET expires_at = $1`, f.clock.Now().UnixMilli())
		},
		"forgotten": func(f *fixture, _ Device) { f.exec(`DELETE FROM accounts WHERE id = '1'`) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			d, secret := f.device(ServiceXMPP, "Phone")
			token := f.mint(secret)
			require.Equal(t, "alice 1", f.access(token))
			kill(f, d)
			require.Empty(t, f.access(token))
		})
	}
}

// A panel's password dies some seconds after its first use, and what was made of
// it in that first use is enough for the question that follows at once.
func TestAccessTokenOfATemporaryPasswordDiesWithIt(t *testing.T) {
	f := newFixture(t, nil)
	secret := f.issue()
	token, expires, v, err := f.MintAccess(t.Context(), Attempt{Service: ServiceXMPP, Username: "alice", Secret: secret, Front: "oauth"})
	require.NoError(t, err)
	require.True(t, v.OK, v.Reason)
	require.Equal(t, f.clock.Now().Add(AfterUse), expires)
	require.Equal(t, "alice 1", f.access(token))
	f.clock.advance(AfterUse - time.Millisecond)
	require.Equal(t, "alice 1", f.access(token))
	f.clock.advance(time.Millisecond)
	require.Equal(t, ReasonExpired, f.ask("alice", secret))
	require.Empty(t, f.access(token))
}

package tokens

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccountsById(t *testing.T) {
	f := newFixture(t, nil)
	a, found, err := f.AccountByID(t.Context(), "2")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "bob", a.Username)
	_, found, err = f.AccountByID(t.Context(), "3")
	require.NoError(t, err)
	require.False(t, found)
	_, _, err = f.AccountByID(ended(t), "2")
	require.Error(t, err)
}

// Whoever is known must be in good standing with Mastodon and with the admin;
// nothing is known against a stranger.
func TestWhoIsWelcome(t *testing.T) {
	f := newFixture(t, nil)
	welcome := func(name string) bool {
		ok, err := f.Welcome(t.Context(), name)
		require.NoError(t, err)
		return ok
	}
	require.True(t, welcome("Alice"))
	require.True(t, welcome("dave"), "a stranger")
	require.False(t, welcome(""))
	require.NoError(t, f.BlockAccount(t.Context(), "1", "rude"))
	require.False(t, welcome("ALICE"))
	require.True(t, welcome("bob"))
	require.NoError(t, f.UnblockAccount(t.Context(), "1", "sorry"))
	require.True(t, welcome("alice"))
	f.exec(`UPDATE accounts SET suspended_at = 1, standing = 'moved' WHERE id = '2'`)
	require.False(t, welcome("bob"))
	_, err := f.Welcome(ended(t), "alice")
	require.Error(t, err)
}

package tokens

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEndOfANameThatHasNoAccount(t *testing.T) {
	f := newFixture(t, nil)
	_, before, err := f.Feed(t.Context(), -1, 0)
	require.NoError(t, err)
	require.NoError(t, f.EndName(t.Context(), "Mallory", "account_suspended"))
	ended, _, err := f.Feed(t.Context(), before, 10)
	require.NoError(t, err)
	require.Len(t, ended, 1)
	require.Equal(t, "account", ended[0].Kind)
	require.Equal(t, "mallory", ended[0].Username)
	require.Equal(t, "account_suspended", ended[0].Reason)
	require.Empty(t, ended[0].Subject)
}

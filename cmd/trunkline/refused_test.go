package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
)

// A Mastodon password opens the chat of the account that it belongs to, and of
// no other that had the name before or has it now.
func TestWhomTheMastodonPasswordDoesNotLetIn(t *testing.T) {
	db := sqldbtest.New(t)
	service, err := tokens.New(tokens.Config{DB: db, Key: make([]byte, 32)})
	require.NoError(t, err)
	for id, name := range map[string]string{"1": "alice", "2": "bob"} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $2, 1, 1)`, id, name)
		require.NoError(t, err)
	}
	n := &node{tokens: service}
	refused := func(name, id string) bool {
		yes, err := n.refused(t.Context(), name, id)
		require.NoError(t, err)
		return yes
	}
	require.False(t, refused("alice", "1"))
	require.False(t, refused("carol", "3"), "never here before")
	require.True(t, refused("alice", "3"), "alice went, and somebody else took her name")
	require.True(t, refused("robert", "2"), "bob is known by another name")
	require.True(t, refused("alice", "2"))
	require.NoError(t, service.BlockAccount(t.Context(), "1", "rude"))
	require.True(t, refused("alice", "1"))
	_, err = db.ExecContext(t.Context(), `UPDATE accounts SET suspended_at = 1, standing = 'suspended' WHERE id = '2'`)
	require.NoError(t, err)
	require.True(t, refused("bob", "2"))
	require.NoError(t, db.Close())
	_, err = n.refused(t.Context(), "alice", "1")
	require.Error(t, err)
}

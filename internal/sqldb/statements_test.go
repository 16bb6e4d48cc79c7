package sqldb_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestFind(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{
		"sqlite": func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "x.db") }, "postgres": sqldbtest.NewPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			db, err := sqldb.Open(t.Context(), url(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			exec(t, db, insertAccount, "1", "alice")
			const query = `SELECT username FROM accounts WHERE id = $1`
			var username string
			for range 3 {
				require.NoError(t, db.Find(t.Context(), query, "1").Scan(&username))
				require.Equal(t, "alice", username)
			}
			require.ErrorIs(t, db.Find(t.Context(), query, "2").Scan(&username), sql.ErrNoRows)
			require.Error(t, db.Find(t.Context(), `SELECT nothing FROM accounts`).Scan(&username))
			first, err := db.Prepared(t.Context(), query)
			require.NoError(t, err)
			again, err := db.Prepared(t.Context(), query)
			require.NoError(t, err)
			require.Same(t, first, again)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, db.Find(ctx, query, "1").Scan(&username), context.Canceled)
		})
	}
}

package sqldb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func liteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "x.db")
}

// fill puts rows into every table, with all that is awkward: NULL, empty blobs,
// every byte, no ASCII, numbers beyond 32 bits, counters ahead of their rows.
func fill(t *testing.T, db *sqldb.DB) {
	t.Helper()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i := range 450 { // more than two pages
		exec(t, db, `INSERT INTO accounts (id, username, display_name, mastodon_token, created_at, last_login_at, suspended_at)
			VALUES ($1, $2, $3, $4, $5, 0, NULL)`, fmt.Sprint(i), fmt.Sprint("name", i), "Ünï 😀 'x'; --\n", every, int64(i)<<40)
	}
	exec(t, db, `INSERT INTO credentials (id, account_id, purpose, hash, created_at, auth_name) VALUES
		('c1', '1', 'device', $1, 1, 'name1-abcde'), ('c2', '1', 'device', $2, 1, NULL)`, []byte{}, []byte{0})
	exec(t, db, `INSERT INTO sip_digests VALUES ('c1', 'r', 'a', 'b', 'c', 'd')`)
	exec(t, db, `INSERT INTO access_tokens VALUES ($1, 'c1', '1', 'xmpp', 1, 2)`, every)
	exec(t, db, `INSERT INTO cursors VALUES ('ejabberd', 3, 9)`)
	exec(t, db, `INSERT INTO audit (at, front, op, outcome) VALUES (1, 'prosody', 'auth', 'yes')`)
	for range 3 {
		exec(t, db, `INSERT INTO revocations (kind, subject, at) VALUES ('session', 's', 1)`)
		exec(t, db, `INSERT INTO consent_changes (account_id, presence, typing, receipts, text_version, changed_at)
			VALUES ('1', 'contacts', $1, $2, 1, 1)`, true, false)
	}
	exec(t, db, `DELETE FROM revocations`)
	exec(t, db, `DELETE FROM consent_changes WHERE seq = 3`)
	exec(t, db, `INSERT INTO mastodon_apps VALUES ('i', 'id', $1, 'r', 's', 1)`, []byte("secret"))
	exec(t, db, `INSERT INTO pending_logins VALUES ($1, $2, 'v', 'm', '', 1, NULL)`, []byte{1}, []byte{2})
	exec(t, db, `INSERT INTO browser_sessions VALUES ('t', $1, 1)`, every)
	exec(t, db, `INSERT INTO logins VALUES ('l', '1', 1, 2, 3, NULL)`)
	exec(t, db, `INSERT INTO handoffs VALUES ($1, 'l', 1, NULL)`, []byte{3})
	exec(t, db, `INSERT INTO consents VALUES ('1', 'nobody', $1, $2, 1, 1)`, false, true)
	exec(t, db, `INSERT INTO follows (account_id, id, acct, username, seen_at) VALUES ('1', '9', 'a@b', 'a', 1)`)
	exec(t, db, `INSERT INTO imports VALUES ('i', '1', 'k', 1, NULL)`)
	exec(t, db, `INSERT INTO import_items (import_id, position, follow_id, subscribe) VALUES ('i', 0, '9', $1)`, true)
	exec(t, db, `INSERT INTO resumptions VALUES ($1, '1', $2, 5)`, []byte{4}, []byte{})
}

// contents is every row of every table, as text.
func contents(t *testing.T, db *sqldb.DB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, table := range sqldb.Tables() {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2")
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values, dest := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				dest[i] = &values[i]
			}
			require.NoError(t, rows.Scan(dest...))
			row := ""
			for i, v := range values {
				if b, ok := v.(bool); ok && b {
					v = int64(1)
				} else if ok {
					v = int64(0)
				}
				row += fmt.Sprintf("%s=%T:%q ", columns[i], v, fmt.Sprint(v))
			}
			all[table] = append(all[table], row)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	return all
}

// From SQLite to PostgreSQL and back again, everything is as it was.
func TestCopyThereAndBack(t *testing.T) {
	first, there, back := liteURL(t), sqldbtest.NewPostgres(t), liteURL(t)
	db, err := sqldb.Open(t.Context(), first)
	require.NoError(t, err)
	fill(t, db)
	want := contents(t, db)
	require.NoError(t, db.Close())

	for i, step := range [][2]string{{first, there}, {there, back}} {
		copied, err := copyWhenFree(t, step[0], step[1])
		require.NoError(t, err)
		require.Len(t, copied, len(sqldb.Tables()))
		for _, c := range copied {
			require.Len(t, want[c.Table], int(c.Rows), c.Table)
		}
		db, err := sqldb.Open(t.Context(), step[1])
		require.NoError(t, err)
		got := contents(t, db)
		for _, table := range sqldb.Tables() {
			require.Equal(t, want[table], got[table])
			if table != "revocations" { // nothing is left there but its counter
				require.NotEmpty(t, want[table], table)
			}
		}
		require.Equal(t, int64(4+i), next(t, db, `INSERT INTO revocations (kind, subject, at) VALUES ('session', 'later', 1) RETURNING seq`))
		require.Equal(t, int64(4+i), next(t, db, `INSERT INTO consent_changes (account_id, presence, typing, receipts, text_version, changed_at)
			SELECT account_id, presence, typing, receipts, text_version, changed_at FROM consents RETURNING seq`))
		require.NoError(t, db.Close())
	}
}

// next is the number that a new row would get.
func next(t *testing.T, db *sqldb.DB, insert string) (seq int64) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		require.NoError(t, tx.QueryRowContext(t.Context(), insert).Scan(&seq))
		return sql.ErrNoRows // and nothing happened; on PostgreSQL the number is gone
	})
	require.ErrorIs(t, err, sql.ErrNoRows)
	return seq
}

// copyWhenFree tries again while the server still has backends of a pool that
// was closed.
func copyWhenFree(t *testing.T, from, to string) (copied []sqldb.Copied, err error) {
	t.Helper()
	for {
		copied, err = sqldb.Copy(t.Context(), from, to)
		if !errors.Is(err, sqldb.ErrInUse) {
			return copied, err
		}
	}
}

func TestCopyRefusesDatabasesInUse(t *testing.T) {
	lite, pg := liteURL(t), sqldbtest.NewPostgres(t)
	full, err := sqldb.Open(t.Context(), lite)
	require.NoError(t, err)
	exec(t, full, insertAccount, "1", "alice")
	_, err = sqldb.Copy(t.Context(), lite, pg)
	require.ErrorIs(t, err, sqldb.ErrInUse, "an idle pool is enough")
	require.ErrorContains(t, err, "the source")
	require.NoError(t, full.Close())

	running, err := sqldb.Open(t.Context(), pg)
	require.NoError(t, err)
	_, err = sqldb.Copy(t.Context(), lite, pg)
	require.ErrorIs(t, err, sqldb.ErrInUse)
	require.ErrorContains(t, err, "the target")
	require.Zero(t, one[int](t, running, `SELECT count(*) FROM accounts`))
	exec(t, running, insertAccount, "2", "bob")
	_, err = sqldb.Copy(t.Context(), pg, liteURL(t))
	require.ErrorIs(t, err, sqldb.ErrInUse)
	require.ErrorContains(t, err, "the source")
	require.NoError(t, running.Close())
}

func TestCopyRefusesWhatIsNoSourceOrNoTarget(t *testing.T) {
	lite, pg := liteURL(t), sqldbtest.NewPostgres(t)
	for _, url := range []string{lite, pg} {
		db, err := sqldb.Open(t.Context(), url)
		require.NoError(t, err)
		exec(t, db, `INSERT INTO cursors VALUES ('x', 1, 1)`)
		require.NoError(t, db.Close())
	}
	_, err := sqldb.Copy(t.Context(), lite, lite)
	require.ErrorContains(t, err, "the same")
	gone := liteURL(t)
	_, err = sqldb.Copy(t.Context(), gone, pg)
	require.ErrorContains(t, err, "there is no such file: "+gone[len("sqlite:"):])
	require.NoError(t, os.WriteFile(gone[len("sqlite:"):], nil, 0o600))
	_, err = sqldb.Copy(t.Context(), gone, pg)
	require.ErrorContains(t, err, "nothing to copy")
	wrong, err := url.Parse(pg)
	require.NoError(t, err)
	wrong.User = url.UserPassword(wrong.User.Username(), "not this one")
	_, err = sqldb.Copy(t.Context(), wrong.String(), lite)
	require.ErrorIs(t, err, sqldb.ErrSourcePassword)
	_, err = sqldb.Copy(t.Context(), lite, wrong.String())
	require.ErrorIs(t, err, sqldb.ErrTargetPassword)
	require.ErrorContains(t, err, "password authentication failed")
	require.NotContains(t, err.Error(), "not this one")
	_, err = sqldb.Copy(t.Context(), pg, "mysql:x")
	require.ErrorContains(t, err, "the target: sqldb: the database URL")

	old := liteURL(t)
	v1, err := os.ReadFile("testdata/schema_v1.sql")
	require.NoError(t, err)
	db, err := sqldb.OpenAt(t.Context(), old, string(v1), nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = sqldb.Copy(t.Context(), old, pg)
	require.ErrorContains(t, err, "trunkline migrate")
	version, err := sqldb.Inspect(t.Context(), old)
	require.NoError(t, err)
	require.Equal(t, 1, version, "and it was not touched")

	_, err = copyWhenFree(t, lite, pg)
	require.ErrorContains(t, err, "cursors has 1 rows")
	require.ErrorContains(t, err, "nothing was copied")
}

// A copy that fails half-way leaves the target as empty as it was.
func TestFailedCopyLeavesNothing(t *testing.T) {
	lite, pg := liteURL(t), sqldbtest.NewPostgres(t)
	db, err := sqldb.Open(t.Context(), lite)
	require.NoError(t, err)
	exec(t, db, insertAccount, "1", "alice")
	exec(t, db, insertAccount, "2", "b\x00b") // PostgreSQL keeps no NUL in text
	require.NoError(t, db.Close())
	_, err = sqldb.Copy(t.Context(), lite, pg)
	require.ErrorContains(t, err, "copy accounts", "the reason names the table")
	db, err = sqldb.Open(t.Context(), pg)
	require.NoError(t, err)
	require.Zero(t, one[int](t, db, `SELECT count(*) FROM accounts`))
	require.NoError(t, db.Close())
}

func TestInspectChangesNothing(t *testing.T) {
	lite, pg := liteURL(t), sqldbtest.NewPostgres(t)
	for _, url := range []string{lite, pg} {
		version, err := sqldb.Inspect(t.Context(), url)
		require.NoError(t, err)
		require.Zero(t, version)
	}
	require.NoFileExists(t, lite[len("sqlite:"):])
	for _, url := range []string{lite, pg} {
		db, err := sqldb.OpenAt(t.Context(), url, sqldb.SchemaText, append(sqldb.Migrations, `CREATE TABLE later (x INTEGER)`))
		require.NoError(t, err)
		require.NoError(t, db.Close())
		version, err := sqldb.Inspect(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, sqldb.Latest+1, version)
	}
}

func TestNameTellsNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:/a/b.db":                      "sqlite:/a/b.db",
		"postgres://u:hidden@db.example:1/xy": `database "xy" at db.example`,
		"postgres://u:hidden#@db.example/xy":  "the PostgreSQL database",
		"hidden":                              "the database",
	} {
		require.Equal(t, want, sqldb.Name(url))
	}
}

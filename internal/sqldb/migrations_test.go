package sqldb

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An installation of version 1, with data, arrives at the schema that a new
// installation has, and keeps its data.
func TestVersion1BecomesTheCurrentSchema(t *testing.T) {
	url := fileURL(t)
	v1, err := os.ReadFile("testdata/schema_v1.sql")
	require.NoError(t, err)
	old := openAt(t, url, string(v1), nil)
	_, err = old.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at, suspended_at)
		VALUES ('1', 'alice', 1000, 2000, NULL), ('2', 'bob', 1001, 3000, 2500);
		INSERT INTO credentials (id, account_id, purpose, hash, created_at) VALUES ('c', '1', 'internal', x'00ff', 5);
		INSERT INTO revocations (kind, subject, reason, at) VALUES ('session', 's', 'signed out', 7)`)
	require.NoError(t, err)
	require.NoError(t, old.Close())

	migrated := open(t, url)
	require.Equal(t, [][]string{
		{"alice", "2000", "", "", "", "good", "2000", "86402000"},
		{"bob", "3000", "2500", "", "", "suspended", "3000", "86403000"},
	}, table(t, migrated, `SELECT username, last_login_at, suspended_at, blocked_at, blocked_reason, standing, standing_at, trusted_until
		FROM accounts ORDER BY id`))
	require.Equal(t, [][]string{{"c", "1", "xmpp", "\x00\xff", "", "", ""}}, table(t, migrated,
		`SELECT id, account_id, service, hash, auth_name, last_used_from, last_used_by FROM credentials`))
	require.Equal(t, [][]string{{"1", "session", "s", "signed out", "7", "", "", ""}}, table(t, migrated,
		`SELECT seq, kind, subject, reason, at, account_id, username, purpose FROM revocations`))
	require.Equal(t, dump(t, open(t, fileURL(t))), dump(t, migrated))
	require.Equal(t, len(migrations)+1, version(t, migrated))
}

func TestMigrationsRunInOrderAndOnce(t *testing.T) {
	url := fileURL(t)
	steps := []string{
		`CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)`,
		`UPDATE a SET x = x * 10`,
		`UPDATE a SET x = x + 5; CREATE TABLE b (y TEXT)`,
	}
	for known := range len(steps) + 1 {
		db := openAt(t, url, schema, steps[:known])
		require.Equal(t, known+1, version(t, db))
		require.NoError(t, migrateAgain(t, db, steps[:known]), "a second time nothing is done")
		require.NoError(t, db.Close())
	}
	var x int
	require.NoError(t, openAt(t, url, schema, steps).QueryRowContext(t.Context(), `SELECT x FROM a`).Scan(&x))
	require.Equal(t, 15, x)
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	url := fileURL(t)
	db := openAt(t, url, schema, nil)
	before := dump(t, db)
	err := migrateAgain(t, db, []string{`CREATE TABLE a (x)`, `CREATE TABLE a (x)`})
	require.ErrorContains(t, err, "migration to version 3")
	require.Equal(t, before, dump(t, db))
	require.Equal(t, 1, version(t, db))
}

func TestNewerSchemaIsRefusedUntouched(t *testing.T) {
	url := fileURL(t)
	newer := openAt(t, url, schema, append(migrations[:len(migrations):len(migrations)], `CREATE TABLE later (x)`))
	before := dump(t, newer)

	_, err := Open(t.Context(), url)
	require.ErrorContains(t, err, "newer Trunkline")
	require.Equal(t, before, dump(t, newer))
	require.Equal(t, len(migrations)+2, version(t, newer))
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	url := fileURL(t)
	path, err := sqlitePath(url)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600))
	_, err = Open(t.Context(), url)
	require.ErrorContains(t, err, "not a database")

	require.NoError(t, os.Remove(path))
	other, err := sql.Open("sqlite", sqliteDSN(path))
	require.NoError(t, err)
	_, err = other.ExecContext(t.Context(), `CREATE TABLE theirs (x)`)
	require.NoError(t, err)
	require.NoError(t, other.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = Open(t.Context(), url)
	require.ErrorContains(t, err, "another program's database")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// openAt opens the database as a program would that knows these migrations.
func openAt(t *testing.T, url, schema string, migrations []string) *DB {
	t.Helper()
	db, err := openWith(t.Context(), url, schema, migrations)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func migrateAgain(t *testing.T, db *DB, migrations []string) error {
	t.Helper()
	return db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := migrate(t.Context(), sqliteSchema{tx}, schema, migrations)
		return err
	})
}

func version(t *testing.T, db *DB) (v int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), `PRAGMA user_version`).Scan(&v))
	return v
}

// dump is the whole schema as SQLite keeps it, white space aside.
func dump(t *testing.T, db *DB) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name`)
	require.NoError(t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var kind, name, text string
		require.NoError(t, rows.Scan(&kind, &name, &text))
		text = strings.NewReplacer(" ,", ",", "( ", "(", " )", ")").Replace(strings.Join(strings.Fields(text), " "))
		out = append(out, kind+" "+name+" "+text)
	}
	require.NoError(t, rows.Err())
	return out
}

// table is the answer to a query as text, NULL as nothing.
func table(t *testing.T, db *DB, query string) (out [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		values, dest := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		require.NoError(t, rows.Scan(dest...))
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = v.String
		}
		out = append(out, row)
	}
	require.NoError(t, rows.Err())
	return out
}

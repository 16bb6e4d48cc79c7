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
	addAccount(t, old, "1", "alice")
	require.NoError(t, old.Close())

	migrated := open(t, url)
	require.Equal(t, 1, count(t, migrated, "accounts"))
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
		require.NoError(t, db.migrate(t.Context(), schema, steps[:known]), "a second time nothing is done")
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
	err := db.migrate(t.Context(), schema, []string{`CREATE TABLE a (x)`, `CREATE TABLE a (x)`})
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
		out = append(out, kind+" "+name+" "+strings.Join(strings.Fields(text), " "))
	}
	require.NoError(t, rows.Err())
	return out
}

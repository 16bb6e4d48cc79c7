package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func open(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func exec(t *testing.T, db *sqldb.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err)
}

func one[T any](t *testing.T, db *sqldb.DB, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&v))
	return v
}

const insertAccount = `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $2, 0, 0)`

// Both dialects have the same tables, columns, defaults, keys and indexes.
func TestDialectsHaveTheSameShape(t *testing.T) {
	lite := open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	pg := open(t, sqldbtest.NewPostgres(t))

	require.Equal(t, column(t, lite, `SELECT m.type || ' ' || m.name || '.' || c.name ||
			CASE c."notnull" WHEN 1 THEN ' always' ELSE '' END || CASE WHEN c.dflt_value IS NULL THEN '' ELSE ' default' END
		FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'`),
		column(t, pg, `SELECT CASE t.table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END || ' ' || c.table_name || '.' || c.column_name ||
			CASE WHEN c.is_nullable = 'NO' AND c.is_identity = 'NO' THEN ' always' ELSE '' END ||
			CASE WHEN c.column_default IS NULL THEN '' ELSE ' default' END
		FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND c.table_name NOT IN ('trunkline_schema', 'turn_revocations')`))

	named := `SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`
	require.Equal(t, column(t, lite, named), column(t, pg, `SELECT indexname FROM pg_indexes
		WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'`))
	references := `SELECT m.name || ' ' || k."table" || ' ' || k.on_delete FROM sqlite_master m, pragma_foreign_key_list(m.name) k`
	require.Equal(t, column(t, lite, references), column(t, pg, `SELECT conrelid::regclass || ' ' || confrelid::regclass || ' ' ||
		CASE confdeltype WHEN 'c' THEN 'CASCADE' ELSE confdeltype::text END FROM pg_constraint WHERE contype = 'f'`))
	unique := column(t, pg, `SELECT conrelid::regclass || ' ' || cardinality(conkey) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u')`)
	require.Equal(t, unique, column(t, lite, `SELECT m.name || ' ' || (SELECT count(*) FROM pragma_index_info(i.name))
			FROM sqlite_master m, pragma_index_list(m.name) i WHERE i.origin IN ('pk', 'u')
		UNION ALL SELECT m.name || ' 1' FROM sqlite_master m WHERE m.sql LIKE '%AUTOINCREMENT%'`))
}

// column is a query's one column, sorted by Go.
func column(t *testing.T, db *sqldb.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, out)
	slices.Sort(out)
	return out
}

func TestPostgresKeepsWhatItIsGiven(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	db := open(t, url)
	require.Equal(t, sqldb.Postgres, db.Dialect())
	from, to := db.Migrated()
	require.Equal(t, [2]int{0, sqldb.Latest}, [2]int{from, to})
	exec(t, db, insertAccount, "1", "älice")
	exec(t, db, `INSERT INTO consents (account_id, presence, typing, receipts, text_version, changed_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		"1", "nobody", true, false, 1, 2)
	exec(t, db, `INSERT INTO resumptions (key, account_id, state, expires_at) VALUES ($1, $2, $3, $4)`, []byte{0, 255}, "1", []byte{}, 1)
	exec(t, db, `INSERT INTO revocations (kind, subject, at) VALUES ('session', 's', 1), ('session', 't', 1)`)
	require.NoError(t, db.Close())

	db = open(t, url)
	from, to = db.Migrated()
	require.Equal(t, [2]int{sqldb.Latest, sqldb.Latest}, [2]int{from, to})
	require.True(t, one[bool](t, db, `SELECT typing FROM consents`))
	require.False(t, one[bool](t, db, `SELECT receipts FROM consents`))
	require.Equal(t, []byte{0, 255}, one[[]byte](t, db, `SELECT key FROM resumptions`))
	require.Equal(t, int64(2), one[int64](t, db, `SELECT max(seq) FROM revocations`))
	_, err := db.ExecContext(t.Context(), `INSERT INTO logins (id, account_id, created_at, last_seen_at, expires_at) VALUES ('l', 'nobody', 0, 0, 0)`)
	require.ErrorContains(t, err, "foreign key")
}

// Nodes that start at the same time make one schema, whoever is first.
func TestNodesMigrateOneAfterTheOther(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	var wg sync.WaitGroup
	found := make(chan int, 8)
	for range cap(found) {
		wg.Go(func() {
			db, err := sqldb.Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			from, _ := db.Migrated()
			found <- from
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(found)
	made := 0
	for from := range found {
		if from == 0 {
			made++
		}
	}
	require.Equal(t, 1, made)
}

func TestPostgresMigrations(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	steps := []string{
		`CREATE TABLE a (x INTEGER, b BLOB); INSERT INTO a VALUES (1, NULL)`,
		`UPDATE a SET x = x * 10`,
		`UPDATE a SET x = x + 5; CREATE TABLE b (y TEXT)`,
	}
	for known := range len(steps) + 1 {
		db, err := sqldb.OpenAt(t.Context(), url, sqldb.SchemaText, steps[:known])
		require.NoError(t, err)
		require.Equal(t, known+1, one[int](t, db, `SELECT version FROM trunkline_schema`))
		require.NoError(t, db.Close())
	}
	db, err := sqldb.OpenAt(t.Context(), url, sqldb.SchemaText, steps)
	require.NoError(t, err)
	require.Equal(t, 15, one[int](t, db, `SELECT x FROM a`))
	require.NoError(t, db.Close())

	_, err = sqldb.OpenAt(t.Context(), url, sqldb.SchemaText, steps[:2])
	require.ErrorContains(t, err, "newer Trunkline")
	_, err = sqldb.OpenAt(t.Context(), url, sqldb.SchemaText, append(steps, `CREATE TABLE c (x INTEGER)`, `CREATE TABLE c (x INTEGER)`))
	require.ErrorContains(t, err, "migration to version 6")
	db, err = sqldb.OpenAt(t.Context(), url, sqldb.SchemaText, steps)
	require.NoError(t, err, "the failed migration left nothing")
	require.NoError(t, db.Close())
}

func TestForeignPostgresIsLeftAlone(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	db := open(t, url)
	exec(t, db, `DROP TABLE trunkline_schema`)
	before := one[int](t, db, `SELECT count(*) FROM pg_class`)
	_, err := sqldb.Open(t.Context(), url)
	require.ErrorContains(t, err, "another program's tables")
	require.Equal(t, before, one[int](t, db, `SELECT count(*) FROM pg_class`))

	// What an extension brings is no program's data.
	url = sqldbtest.NewPostgres(t)
	pool, err := sql.Open("pgx", url)
	require.NoError(t, err)
	_, err = pool.ExecContext(t.Context(), `CREATE EXTENSION pg_stat_statements`)
	require.NoError(t, err)
	require.NoError(t, pool.Close())
	open(t, url)
}

func TestPostgresThatIsNotUTF8IsRefused(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	pool, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.ExecContext(t.Context(), `CREATE DATABASE old_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
	require.NoError(t, err)
	defer pool.ExecContext(context.WithoutCancel(t.Context()), `DROP DATABASE old_latin1 WITH (FORCE)`) //nolint:errcheck // the cluster ends anyway
	_, rest, _ := strings.Cut(url, "@")
	before, _, _ := strings.Cut(url, rest)
	host, _, _ := strings.Cut(rest, "/")
	_, err = sqldb.Open(t.Context(), before+host+"/old_latin1?sslmode=disable")
	require.ErrorContains(t, err, "LATIN1")
}

func TestPostgresUpdateRollsBackOnError(t *testing.T) {
	db := open(t, sqldbtest.NewPostgres(t))
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), insertAccount, "1", "alice")
		require.NoError(t, err)
		return os.ErrDeadlineExceeded
	})
	require.Equal(t, os.ErrDeadlineExceeded, err)
	require.Zero(t, one[int](t, db, `SELECT count(*) FROM accounts`))
}

// Many writers that read before they write, in two pools as if they were two
// nodes: nothing fails and no increment is lost.
func TestPostgresWritersCollideUnnoticed(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	pools := []*sqldb.DB{open(t, url), open(t, url)}
	exec(t, pools[0], insertAccount, "1", "alice")
	const workers, rounds = 8, 10
	var wg sync.WaitGroup
	errs := make(chan error, 2*workers*rounds)
	for w := range workers {
		db := pools[w%len(pools)]
		wg.Go(func() {
			for range rounds {
				errs <- increment(t.Context(), db)
				_, err := db.ExecContext(t.Context(), `UPDATE accounts SET created_at = created_at + 1`)
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, workers*rounds, one[int](t, pools[0], `SELECT last_login_at FROM accounts`))
	require.Equal(t, workers*rounds, one[int](t, pools[0], `SELECT created_at FROM accounts`))
}

func increment(ctx context.Context, db *sqldb.DB) error {
	return db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT last_login_at FROM accounts WHERE id = $1`, "1").Scan(&n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE accounts SET last_login_at = $1 WHERE id = $2`, n+1, "1")
		return err
	})
}

// Two that each read what the other writes: under anything less than
// serialisable both would go through.
func TestPostgresHasNoWriteSkew(t *testing.T) {
	db := open(t, sqldbtest.NewPostgres(t))
	exec(t, db, insertAccount, "1", "alice")
	exec(t, db, insertAccount, "2", "bob")
	var first sync.Once
	meanwhile := func() { // the other one of the pair, in the middle of the first one's transaction
		require.NoError(t, increment2(t.Context(), db, "2", "1", func() {}))
	}
	runs := 0
	require.NoError(t, increment2(t.Context(), db, "1", "2", func() { runs++; first.Do(meanwhile) }))
	require.Equal(t, 2, runs)
	require.Equal(t, 3, one[int](t, db, `SELECT sum(created_at) FROM accounts`), "one saw what the other had written")
}

// increment2 sets one row to one more than another row holds.
func increment2(ctx context.Context, db *sqldb.DB, row, other string, between func()) error {
	return db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT created_at FROM accounts WHERE id = $1`, other).Scan(&n); err != nil {
			return err
		}
		between()
		_, err := tx.ExecContext(ctx, `UPDATE accounts SET created_at = $1 WHERE id = $2`, n+1, row)
		return err
	})
}

func TestCollided(t *testing.T) {
	for code, want := range map[string]bool{"40001": true, "40P01": true, "23505": false} {
		require.Equal(t, want, sqldb.CollidedWith(errors.Join(os.ErrClosed, &pgconn.PgError{Code: code})))
	}
	require.False(t, sqldb.CollidedWith(os.ErrClosed))
}

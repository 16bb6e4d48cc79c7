package sqldb

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func fileURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "with space?#%41.db")
}

func open(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestOpenCreatesAPrivateFileAtTheNamedPath(t *testing.T) {
	url := fileURL(t)
	db := open(t, url)
	addAccount(t, db, "1", "alice")

	path, err := sqlitePath(url)
	require.NoError(t, err)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestOpenRefusesUnusableURLs(t *testing.T) {
	for url, want := range map[string]string{
		"":                           "must look like",
		"/var/lib/trunkline.db":      "must look like",
		"mysql://localhost/x":        "must look like",
		"sqlite:":                    "in memory",
		"sqlite::memory:":            "in memory",
		"sqlite:relative.db":         "must be absolute",
		"sqlite:/no/such/folder/x.d": "cannot open the database file",
		"sqlite:" + t.TempDir():      "cannot open the database file",
	} {
		_, err := Open(t.Context(), url)
		require.ErrorContains(t, err, want, url)
	}
}

func TestEveryConnectionHasTheSettings(t *testing.T) {
	db := open(t, fileURL(t))
	for range maxConns {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "10000", "synchronous": "1",
		} {
			var got string
			require.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, pragma)
		}
	}
}

func TestForeignKeysAreEnforced(t *testing.T) {
	db := open(t, fileURL(t))
	_, err := db.ExecContext(t.Context(),
		`INSERT INTO logins (id, account_id, created_at, last_seen_at, expires_at) VALUES ('l', 'nobody', 0, 0, 0)`)
	require.ErrorContains(t, err, "FOREIGN KEY")
}

func TestUpdateRollsBackOnError(t *testing.T) {
	db := open(t, fileURL(t))
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), insertAccount, "1", "alice")
		require.NoError(t, err)
		return os.ErrDeadlineExceeded
	})
	require.Equal(t, os.ErrDeadlineExceeded, err)
	require.Zero(t, count(t, db, "accounts"))
}

func TestWriterWaitsNoLongerThanItsContext(t *testing.T) {
	db := open(t, fileURL(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(t.Context(), func(*sql.Tx) error {
		cancel()
		_, err := db.ExecContext(ctx, insertAccount, "1", "alice")
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
}

// Many writers that read before they write, through two pools as if they were
// two processes: the pattern that gives SQLITE_BUSY when transactions begin
// deferred. Nothing fails and no increment is lost.
func TestConcurrentWritersNeverSeeBusy(t *testing.T) {
	url := fileURL(t)
	pools := []*DB{open(t, url), open(t, url)}
	addAccount(t, pools[0], "1", "alice")

	const workers, rounds = 16, 20
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
	var logins, created int
	require.NoError(t, pools[0].QueryRowContext(t.Context(),
		`SELECT last_login_at, created_at FROM accounts`).Scan(&logins, &created))
	require.Equal(t, workers*rounds, logins)
	require.Equal(t, workers*rounds, created)
}

func increment(ctx context.Context, db *DB) error {
	return db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT last_login_at FROM accounts WHERE id = $1`, "1").Scan(&n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE accounts SET last_login_at = $1 WHERE id = $2`, n+1, "1")
		return err
	})
}

func TestReadersDoNotWaitForAWriter(t *testing.T) {
	db := open(t, fileURL(t))
	require.NoError(t, db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), insertAccount, "1", "alice")
		require.NoError(t, err)
		require.Zero(t, count(t, db, "accounts"), "an uncommitted row is not visible")
		return nil
	}))
	require.Equal(t, 1, count(t, db, "accounts"))
}

const insertAccount = `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $2, 0, 0)`

func addAccount(t *testing.T, db *DB, id, username string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), insertAccount, id, username)
	require.NoError(t, err)
}

func count(t *testing.T, db *DB, table string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// A URL that is accepted names one absolute file, and the driver gets exactly
// that name back, whatever characters are in it.
func FuzzSQLitePath(f *testing.F) {
	for _, s := range []string{
		"sqlite:/a/b.db", "sqlite:///a", "sqlite:/a/../b?mode=memory", "sqlite:/%2f#x", "sqlite::memory:", "sqlite:", "/a", "sqlite:/\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, err := sqlitePath(s)
		if err != nil {
			return
		}
		require.True(t, filepath.IsAbs(path))
		require.Equal(t, filepath.Clean(path), path)
		dsn, err := url.Parse(sqliteDSN(path))
		require.NoError(t, err)
		require.Equal(t, path, dsn.Path)
		require.Equal(t, "immediate", dsn.Query().Get("_txlock"))
		require.Len(t, dsn.Query()["_pragma"], 3)
		require.Empty(t, dsn.Host)
	})
}

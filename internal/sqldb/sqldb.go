package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

const (
	// BusyTimeout is how long a writer waits for its turn.
	BusyTimeout = 10 * time.Second

	// maxConns bounds open files and page caches. Only one connection writes at
	// a time, so more of them would only read.
	maxConns = 8
)

// ErrBusy means that a writer did not get its turn within BusyTimeout.
var ErrBusy = errors.New("sqldb: the database is busy")

// DB is an open database. Any goroutine may call any method.
type DB struct {
	*sql.DB

	// writer holds one token; who has it may write. It keeps the writers of
	// this process in a fair queue, which SQLite's own lock is not.
	writer chan struct{}
}

// Open opens the database that rawURL names, creates or migrates its tables,
// and returns it ready for use. The only form known today is
// "sqlite:/absolute/path/file.db"; the folder must exist, the file is created
// with mode 0600. Errors say what to do and contain no row content.
func Open(ctx context.Context, rawURL string) (*DB, error) {
	return openWith(ctx, rawURL, schema, migrations)
}

func openWith(ctx context.Context, rawURL, schema string, migrations []string) (*DB, error) {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return nil, err
	}
	if err := touch(path); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	db := &DB{DB: pool, writer: make(chan struct{}, 1)}
	if err := db.migrate(ctx, schema, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: %w", path, err), pool.Close())
	}
	// Kept in the file, hence for every connection. Not before migrate has seen
	// that the file is ours: it is a change to the file.
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: cannot switch to write-ahead logging: %w", path, err), pool.Close())
	}
	return db, nil
}

// sqlitePath is the file that rawURL names.
func sqlitePath(rawURL string) (string, error) {
	scheme, rest, ok := strings.Cut(rawURL, ":")
	if !ok || scheme != "sqlite" {
		return "", errors.New(`sqldb: the database URL must look like "sqlite:/absolute/path/file.db"`)
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		rest = after
	}
	switch {
	case rest == ":memory:" || rest == "":
		return "", errors.New("sqldb: a database in memory would forget every login at a restart; name a file")
	case !filepath.IsAbs(rest):
		return "", fmt.Errorf("sqldb: the database path %q must be absolute", rest)
	case strings.ContainsRune(rest, 0):
		return "", errors.New("sqldb: the database path contains a NUL byte")
	}
	return filepath.Clean(rest), nil
}

// touch creates an empty file that only its owner can read, so that SQLite
// does not create a more open one (its -wal and -shm files take over the mode).
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sqldb: cannot open the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("sqldb: cannot open the database file: %w", err)
	}
	return nil
}

// sqliteDSN spells the settings that every connection gets.
func sqliteDSN(path string) string {
	q := url.Values{}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", BusyTimeout.Milliseconds()))
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "foreign_keys(ON)")
	// A transaction that begins by reading and then writes can fail at once with
	// SQLITE_BUSY_SNAPSHOT, which no timeout cures: take the lock at BEGIN.
	q.Set("_txlock", "immediate")
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// ExecContext runs one writing statement, in turn with the other writers.
func (db *DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	release, err := db.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return db.DB.ExecContext(ctx, query, args...)
}

// Update runs f in one write transaction, in turn with the other writers, and
// commits if f returns nil; otherwise nothing happened and f's error comes
// back unchanged. f must use tx alone: db.ExecContext or another Update inside
// f would wait for itself until BusyTimeout.
func (db *DB) Update(ctx context.Context, f func(tx *sql.Tx) error) error {
	release, err := db.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	tx, err := db.DB.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqldb: begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it only says so
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqldb: commit: %w", err)
	}
	return nil
}

// lock waits for the writer's token and returns what gives it back.
func (db *DB) lock(ctx context.Context) (release func(), err error) {
	wait := time.NewTimer(BusyTimeout)
	defer wait.Stop()
	select {
	case db.writer <- struct{}{}:
		return func() { <-db.writer }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("sqldb: waiting to write: %w", ctx.Err())
	case <-wait.C:
		return nil, ErrBusy
	}
}

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

	_ "modernc.org/sqlite" // the "sqlite" driver
)

// applicationID marks the file as ours ("TRNK" in its header), so that a wrong
// path in the configuration never lets us write into another program's data.
const applicationID = 0x54524e4b

func openSQLite(ctx context.Context, rawURL, schema string, migrations []string) (*DB, error) {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return nil, err
	}
	if err := touch(path); err != nil {
		return nil, err
	}
	durable, err := newDurable(path)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	db := &DB{DB: pool, dialect: SQLite, writers: make(chan struct{}, 1), durable: durable}
	err = db.Update(ctx, func(tx *sql.Tx) (err error) {
		db.found, err = migrate(ctx, sqliteSchema{tx}, schema, migrations)
		return err
	})
	if err != nil {
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
	q.Add("_pragma", "synchronous(NORMAL)") // and durable does the rest
	q.Add("_pragma", "foreign_keys(ON)")
	// A transaction that begins by reading and then writes can fail at once with
	// SQLITE_BUSY_SNAPSHOT, which no timeout cures: take the lock at BEGIN.
	q.Set("_txlock", "immediate")
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// sqliteSchema is the schema of a SQLite file, within one transaction.
type sqliteSchema struct{ *sql.Tx }

// version is the one in the file, 0 for an empty file.
func (s sqliteSchema) version(ctx context.Context) (int, error) {
	var app, version, tables int
	for query, dest := range map[string]*int{
		"PRAGMA application_id":              &app,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_master": &tables,
	} {
		if err := s.QueryRowContext(ctx, query).Scan(dest); err != nil {
			return 0, fmt.Errorf("this is not a database that can be read: %w", err)
		}
	}
	if (tables > 0 || version > 0) && app != applicationID {
		return 0, errors.New("the file holds another program's database; it was left alone")
	}
	return version, nil
}

func (s sqliteSchema) apply(ctx context.Context, text string) error {
	_, err := s.ExecContext(ctx, text)
	return err
}

func (s sqliteSchema) mark(ctx context.Context, version int) error {
	return s.apply(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version))
}

package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// BusyTimeout is how long a writer waits for its turn.
	BusyTimeout = 10 * time.Second

	// maxConns bounds open files and page caches on SQLite, where only one
	// connection writes at a time, and what one node takes of PostgreSQL's
	// max_connections, which is 100 unless changed.
	maxConns = 8
)

// ErrBusy means that a writer did not get its turn within BusyTimeout.
var ErrBusy = errors.New("sqldb: the database is busy")

// DB is an open database. Any goroutine may call any method.
type DB struct {
	*sql.DB
	dialect Dialect
	found   int // the version that Open found

	// writers holds a token for each that writes now. On SQLite there is one, a
	// fair queue for the writers of this process, which SQLite's own lock is not.
	// On PostgreSQL there are fewer than connections, so that whoever reads
	// while others write never waits for them.
	writers chan struct{}

	statements statements

	durable   *durable   // SQLite
	listening *listening // PostgreSQL, unless switched off
}

// Open opens the database that rawURL names, creates or migrates its tables,
// and returns it ready for use. It takes
//
//	sqlite:/absolute/path/file.db
//	postgres://user:password@host:port/name?sslmode=…
//
// The folder of a SQLite file must exist, the file is created with mode 0600.
// A PostgreSQL database must exist and be UTF-8. A connection that leaves this
// machine is encrypted and the server's certificate verified, unless the URL
// says otherwise by sslmode; "host=/folder" in the query names a Unix socket,
// and "listen=off" is for connection poolers that cannot LISTEN. Errors say
// what to do, and contain neither row content nor the password.
func Open(ctx context.Context, rawURL string) (*DB, error) {
	return openWith(ctx, rawURL, schema, migrations)
}

func openWith(ctx context.Context, rawURL, schema string, migrations []string) (*DB, error) {
	dialect, err := dialectOf(rawURL)
	if err != nil {
		return nil, err
	}
	if dialect == Postgres {
		return openPostgres(ctx, rawURL, serviceName, schema, migrations)
	}
	return openSQLite(ctx, rawURL, schema, migrations)
}

// dialectOf reads the URL's scheme alone.
func dialectOf(rawURL string) (Dialect, error) {
	scheme, _, _ := strings.Cut(rawURL, ":")
	switch scheme {
	case "sqlite":
		return SQLite, nil
	case "postgres", "postgresql":
		return Postgres, nil
	}
	return "", errors.New(`sqldb: the database URL must look like "sqlite:/absolute/path/file.db" or "postgres://user:password@host/name"`)
}

// Close ends every Listen and closes the connections.
func (db *DB) Close() error {
	if db.listening != nil {
		db.listening.end()
	}
	return db.DB.Close()
}

// Migrated says which version of the schema Open found, 0 if nothing, and which
// one the database has now.
func (db *DB) Migrated() (from, to int) { return db.found, Latest }

// ExecContext runs one writing statement in a transaction of its own, as
// Update does.
func (db *DB) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	if db.dialect == Postgres {
		err = db.Update(ctx, func(tx *sql.Tx) (err error) {
			result, err = tx.ExecContext(ctx, query, args...)
			return err
		})
		return result, err
	}
	err = db.write(ctx, func() (err error) {
		result, err = db.DB.ExecContext(ctx, query, args...)
		return err
	})
	return result, err
}

// Update runs f in one write transaction and commits if f returns nil;
// otherwise nothing happened and f's error comes back unchanged. Whatever other
// writers do, it is as if they had done it before or after (serialisable). On
// SQLite writers take turns; on PostgreSQL they try side by side, and f is run
// again when that went wrong: it must set its results anew each time and touch
// nothing else. f must use tx alone: db.ExecContext or another Update inside f
// could wait for itself until BusyTimeout, when ErrBusy ends it.
func (db *DB) Update(ctx context.Context, f func(tx *sql.Tx) error) error {
	return db.write(ctx, func() error {
		if db.dialect == Postgres {
			return db.updateAgain(ctx, f)
		}
		return db.updateOnce(ctx, nil, f)
	})
}

// write runs f in its turn, and then waits until what f committed is durable.
func (db *DB) write(ctx context.Context, f func() error) error {
	if err := db.inTurn(ctx, f); err != nil {
		return err
	}
	if db.durable == nil {
		return nil // PostgreSQL does both in one
	}
	return db.durable.wait()
}

func (db *DB) inTurn(ctx context.Context, f func() error) error {
	release, err := db.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return f()
}

func (db *DB) updateOnce(ctx context.Context, opts *sql.TxOptions, f func(tx *sql.Tx) error) error {
	tx, err := db.DB.BeginTx(ctx, opts)
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

// lock waits for a writer's token and returns what gives it back.
func (db *DB) lock(ctx context.Context) (release func(), err error) {
	wait := time.NewTimer(BusyTimeout)
	defer wait.Stop()
	select {
	case db.writers <- struct{}{}:
		return func() { <-db.writers }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("sqldb: waiting to write: %w", ctx.Err())
	case <-wait.C:
		return nil, ErrBusy
	}
}

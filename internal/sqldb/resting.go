package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Name is the database that a URL names, in words for people: without user and
// password.
func Name(rawURL string) string {
	dialect, err := dialectOf(rawURL)
	if err != nil {
		return "the database"
	}
	if dialect == SQLite {
		return rawURL
	}
	cfg, _, err := postgresConfig(rawURL)
	if err != nil {
		return "the PostgreSQL database"
	}
	return postgresName(cfg)
}

// Inspect returns the version of a database's schema, 0 if it is empty or does
// not exist yet. It may be newer than Latest. Nothing is changed.
func Inspect(ctx context.Context, rawURL string) (version int, err error) {
	dialect, err := dialectOf(rawURL)
	if err != nil {
		return 0, err
	}
	if dialect == SQLite {
		return inspectSQLite(ctx, rawURL)
	}
	cfg, _, err := postgresConfig(rawURL)
	if err != nil {
		return 0, err
	}
	cfg.RuntimeParams["application_name"] = toolName
	pool := stdlib.OpenDB(*cfg)
	version, err = versionOf(ctx, pool, func(tx *sql.Tx) versioned { return postgresSchema{tx} })
	if err != nil {
		err = fmt.Errorf("sqldb: %s: %w", postgresName(cfg), err)
	}
	return version, errors.Join(err, pool.Close())
}

func inspectSQLite(ctx context.Context, rawURL string) (version int, err error) {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	pool, err := sql.Open("sqlite", restingDSN(path, "query_only(ON)"))
	if err != nil {
		return 0, fmt.Errorf("sqldb: %w", err)
	}
	version, err = versionOf(ctx, pool, func(tx *sql.Tx) versioned { return sqliteSchema{tx} })
	if err != nil {
		err = fmt.Errorf("sqldb: %s: %w", path, err)
	}
	return version, errors.Join(err, pool.Close())
}

func versionOf(ctx context.Context, pool *sql.DB, of func(*sql.Tx) versioned) (int, error) {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	version, err := of(tx).version(ctx)
	return version, errors.Join(err, ignoreDone(tx.Rollback()))
}

// restingDSN is for a file that exists.
func restingDSN(path string, pragmas ...string) string {
	q := url.Values{"mode": {"rw"}, "_pragma": append(pragmas, "busy_timeout(2000)", "foreign_keys(ON)", "synchronous(FULL)")}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// restSQLite takes the file for itself. Whoever has it open holds a shared lock
// on it as long as that is so, even when idle: that is how another Trunkline is
// seen, and how one that starts meanwhile has to wait.
func restSQLite(ctx context.Context, rawURL string) (*resting, error) {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", restingDSN(path, "locking_mode(EXCLUSIVE)")+"&_txlock=exclusive")
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	pool.SetMaxOpenConns(1)
	tx, err := pool.BeginTx(ctx, nil)
	if err == nil {
		return &resting{pool, tx, SQLite}, nil
	}
	var busy *sqlite.Error
	if errors.As(err, &busy) && busy.Code()&0xff == sqlite3.SQLITE_BUSY {
		err = ErrInUse
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", path, err), pool.Close())
}

// restPostgres locks every table against writing. That there is a Trunkline is
// seen by the name of its connections.
func restPostgres(ctx context.Context, rawURL string) (*resting, error) {
	cfg, _, err := postgresConfig(rawURL)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = toolName
	pool := stdlib.OpenDB(*cfg)
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: %w", postgresName(cfg), err), pool.Close())
	}
	r := &resting{pool, tx, Postgres}
	// The lock comes before the first query: what that sees is what is copied.
	lock := "LOCK TABLE " + strings.Join(tables(), ", ") + " IN SHARE ROW EXCLUSIVE MODE"
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: lock the tables: %w", postgresName(cfg), err), r.close())
	}
	var others int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1`, serviceName).Scan(&others)
	if err == nil && others > 0 {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: %w", postgresName(cfg), err), r.close())
	}
	return r, nil
}

// copyCounter copies the last number that was given, which may be greater than
// any that is left in the table: a follower that has come so far must not be
// shown smaller ones as new.
func copyCounter(ctx context.Context, source, target *resting, table string) error {
	last, err := source.counter(ctx, table)
	if err != nil || last == 0 {
		return err
	}
	if target.dialect == Postgres {
		_, err := target.tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence($1, 'seq'), $2)`, table, last)
		return err
	}
	if _, err := target.tx.ExecContext(ctx, `DELETE FROM sqlite_sequence WHERE name = $1`, table); err != nil {
		return err
	}
	_, err = target.tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)`, table, last)
	return err
}

// counter is the last number given, 0 if none was.
func (r *resting) counter(ctx context.Context, table string) (last int64, err error) {
	query := `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1`
	if r.dialect == Postgres {
		query = `SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1, 'seq')::regclass), 0)`
	}
	err = r.tx.QueryRowContext(ctx, query, table).Scan(&last)
	return last, err
}

package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// maxPostgresConns and maxPostgresWriters: a node takes no more than these of
	// PostgreSQL's connections, and two more that listen.
	maxPostgresConns   = 20
	maxPostgresWriters = 14

	// serviceName is how the connections of a service call themselves, toolName
	// those of a command that only comes by.
	serviceName, toolName = "trunkline", "trunkline-tool"

	// migrationLock is the advisory lock of whoever brings the schema up to date.
	migrationLock = 0x54524e4b

	firstPause, longestPause = 2 * time.Millisecond, 200 * time.Millisecond
)

// serial is how every transaction that writes runs.
var serial = &sql.TxOptions{Isolation: sql.LevelSerializable}

// jitter returns a number from 0 to n-1.
var jitter = rand.Int64N

// errPostgresURL stands for every mistake in a URL: what exactly was read wrong
// could be a part of the password.
var errPostgresURL = errors.New("sqldb: the database URL must look like postgres://user:password@host:port/name?sslmode=verify-full; " +
	"in the password write each character that is no letter or digit as % and its two hexadecimal digits")

var errListenWord = errors.New("sqldb: listen in the database URL is on or off")

func openPostgres(ctx context.Context, rawURL, name, schema string, migrations []string) (*DB, error) {
	cfg, listens, err := postgresConfig(rawURL)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = name
	pool := stdlib.OpenDB(*cfg)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: %w", postgresName(cfg), err), pool.Close())
	}
	pool.SetMaxOpenConns(maxPostgresConns)
	pool.SetMaxIdleConns(maxPostgresConns)
	db := &DB{DB: pool, dialect: Postgres, writers: make(chan struct{}, maxPostgresWriters)}
	// Read committed, so that the node that waited for another's migration sees it.
	err = db.updateOnce(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, func(tx *sql.Tx) (err error) {
		db.found, err = migrate(ctx, postgresSchema{tx}, schema, migrations)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %s: %w", postgresName(cfg), err), pool.Close())
	}
	if listens {
		db.listening = newListening(cfg)
	}
	return db, nil
}

// postgresConfig reads a URL. listens is false if it says listen=off.
func postgresConfig(rawURL string) (cfg *pgx.ConnConfig, listens bool, err error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Fragment != "" || strings.ContainsAny(u.Host, "/@?#") {
		return nil, false, errPostgresURL
	}
	if name, ok := strings.CutPrefix(u.Path, "/"); !ok || name == "" || strings.ContainsAny(name, "/@:") {
		return nil, false, errPostgresURL
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, false, errPostgresURL
	}
	switch q.Get("listen") {
	case "", "on":
		listens = true
	case "off":
	default:
		return nil, false, errListenWord
	}
	q.Del("listen")
	u.RawQuery = q.Encode()
	u.OmitHost = false // "postgres:/x" would not be a URL to pgx
	if cfg, err = parsePostgres(u); err != nil {
		return nil, false, err
	}
	if !q.Has("sslmode") && slices.ContainsFunc(hosts(cfg), remote) {
		q.Set("sslmode", "verify-full")
		u.RawQuery = q.Encode()
		cfg, err = parsePostgres(u)
	}
	return cfg, listens, err
}

func parsePostgres(u *url.URL) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(u.String())
	if err == nil {
		return cfg, nil
	}
	// The error quotes the URL; its cause does not.
	cause := errors.Unwrap(err)
	password, _ := u.User.Password()
	if cause == nil || password != "" && strings.Contains(cause.Error(), password) {
		return nil, errPostgresURL
	}
	return nil, fmt.Errorf("sqldb: the database URL cannot be used: %w", cause)
}

func hosts(cfg *pgx.ConnConfig) []string {
	list := []string{cfg.Host}
	for _, f := range cfg.Fallbacks {
		list = append(list, f.Host)
	}
	return list
}

// remote says whether a connection to this host leaves the machine.
func remote(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}

// postgresName tells people which database is meant.
func postgresName(cfg *pgx.ConnConfig) string {
	return fmt.Sprintf("database %q at %s", cfg.Database, cfg.Host)
}

// updateAgain runs f until no other writer came between, with growing pauses.
func (db *DB) updateAgain(ctx context.Context, f func(tx *sql.Tx) error) error {
	end := time.Now().Add(BusyTimeout)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := db.updateOnce(ctx, serial, f)
		if err == nil || !collided(err) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: %w", ErrBusy, err)
		}
		wait := time.NewTimer(pause/2 + time.Duration(jitter(int64(pause))))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("sqldb: waiting to write: %w", ctx.Err())
		}
	}
}

// collided says whether a transaction failed because of others that ran beside
// it: serialization_failure or deadlock_detected.
func collided(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// postgresSchema is the schema of a PostgreSQL database, within one transaction.
type postgresSchema struct{ *sql.Tx }

// version waits for whoever migrates, and reads our table of one row.
func (s postgresSchema) version(ctx context.Context) (version int, err error) {
	if _, err := s.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock); err != nil {
		return 0, fmt.Errorf("waiting for other nodes: %w", err)
	}
	var encoding string
	if err := s.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return 0, fmt.Errorf("cannot read its encoding: %w", err)
	}
	if encoding != "UTF8" {
		return 0, fmt.Errorf("its encoding is %s, but names and chats need UTF8; create it with: createdb --encoding=UTF8 --template=template0 …", encoding)
	}
	var ours, others int
	// What belongs to an extension is nobody's data.
	err = s.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE c.relname = 'trunkline_schema'), count(*)
		FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
		AND NOT EXISTS (SELECT 1 FROM pg_depend d
			WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`).Scan(&ours, &others)
	switch {
	case err != nil:
		return 0, fmt.Errorf("cannot list its tables: %w", err)
	case others == 0:
		return 0, nil
	case ours == 0:
		return 0, errors.New("it holds another program's tables; it was left alone; create a database for Trunkline alone")
	}
	if err := s.QueryRowContext(ctx, "SELECT version FROM trunkline_schema").Scan(&version); err != nil {
		return 0, fmt.Errorf("cannot read the schema version: %w", err)
	}
	return version, nil
}

func (s postgresSchema) apply(ctx context.Context, text string) error {
	_, err := s.ExecContext(ctx, forPostgres(text))
	return err
}

// mark also makes what only PostgreSQL has: the table that holds the version,
// and those whose locks are the turns of Serialize.
func (s postgresSchema) mark(ctx context.Context, version int) error {
	return s.apply(ctx, fmt.Sprintf(`
		CREATE TABLE IF NOT EXISTS trunkline_schema (version INTEGER NOT NULL);
		CREATE TABLE IF NOT EXISTS turn_revocations ();
		DELETE FROM trunkline_schema;
		INSERT INTO trunkline_schema VALUES (%d)`, version))
}

// Foreign returns a pool for a PostgreSQL database that is not ours, with the
// same care for the URL as Open but without touching anything: it does not even
// connect. It works through PgBouncer, too.
func Foreign(rawURL string) (*sql.DB, error) {
	cfg, _, err := postgresConfig(rawURL)
	if err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing prepared, which a pooler would lose
	return stdlib.OpenDB(*cfg), nil
}

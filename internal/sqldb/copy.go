package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrInUse means that a Trunkline is running on a database that must rest.
var ErrInUse = errors.New("sqldb: a Trunkline is running on this database; stop it and try again")

// ErrSourcePassword and ErrTargetPassword mean that a server does not take the
// password in the URL of that side, or that there is none in it.
var (
	ErrSourcePassword = errors.New("sqldb: the password for the source is not right")
	ErrTargetPassword = errors.New("sqldb: the password for the target is not right")
)

// Copied says how many rows a table had.
type Copied struct {
	Table string
	Rows  int64
}

const (
	copyRows   = 200   // in one INSERT
	copyParams = 20000 // SQLite takes 32,766
)

var (
	tablePattern   = regexp.MustCompile(`(?m)^CREATE TABLE (\w+) \(`)
	countedPattern = regexp.MustCompile(`(?m)^CREATE TABLE (\w+) \(\n\s*seq\s+INTEGER PRIMARY KEY AUTOINCREMENT`)
)

// Copy moves a whole instance from one database to another, of whichever
// dialects: every row of every table, and how far the counters have come. Both
// must be at rest, which is checked and then enforced while it takes; the source
// must have the newest schema, the target must be empty or new. It happens in
// one transaction on the target, at whose end the rows are counted on both
// sides: after an error the target is as empty as before. The source is not
// changed. It returns the tables in the order of the schema.
func Copy(ctx context.Context, from, to string) (copied []Copied, err error) {
	if err := readyToCopy(ctx, from, to); err != nil {
		return nil, err
	}
	source, err := openResting(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	defer func() { err = errors.Join(err, source.close()) }()
	target, err := openResting(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	defer func() { err = errors.Join(err, target.close()) }()
	if err := target.mustBeEmpty(ctx); err != nil {
		return nil, err
	}
	for _, table := range tables() {
		n, err := copyTable(ctx, source, target, table)
		if err != nil {
			return nil, fmt.Errorf("sqldb: copy %s: %w", table, err)
		}
		copied = append(copied, Copied{table, n})
	}
	for _, m := range countedPattern.FindAllStringSubmatch(schema, -1) {
		if err := copyCounter(ctx, source, target, m[1]); err != nil {
			return nil, fmt.Errorf("sqldb: copy the counter of %s: %w", m[1], err)
		}
	}
	if err := recount(ctx, source, target, copied); err != nil {
		return nil, err
	}
	if err := target.tx.Commit(); err != nil {
		return nil, fmt.Errorf("sqldb: commit: %w", err)
	}
	if target.dialect == Postgres {
		// Or its planner would know nothing of the tables until it looks by itself.
		if _, err := target.pool.ExecContext(ctx, "ANALYZE"); err != nil {
			return nil, fmt.Errorf("sqldb: everything is copied, but ANALYZE failed: %w", err)
		}
	}
	return copied, nil
}

// tables lists all tables; what others refer to comes before them.
func tables() (list []string) {
	for _, m := range tablePattern.FindAllStringSubmatch(schema, -1) {
		list = append(list, m[1])
	}
	return list
}

// readyToCopy looks at the source and makes the tables of the target.
func readyToCopy(ctx context.Context, from, to string) error {
	if from == to {
		return errors.New("sqldb: source and target are the same database")
	}
	if path, err := sqlitePath(from); err == nil {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the source: sqldb: there is no such file: %s", path)
		}
	}
	version, err := Inspect(ctx, from)
	switch {
	case err != nil:
		return fmt.Errorf("the source: %w", explainPassword(err, from, ErrSourcePassword))
	case version == 0:
		return errors.New("the source: sqldb: it is empty, there is nothing to copy")
	case version != Latest:
		return fmt.Errorf("the source: sqldb: it has schema version %d, not %d; run trunkline migrate first", version, Latest)
	}
	dialect, err := dialectOf(to)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	var db *DB
	if dialect == Postgres {
		db, err = openPostgres(ctx, to, toolName, schema, migrations)
	} else {
		db, err = openSQLite(ctx, to, schema, migrations)
	}
	if err != nil {
		return fmt.Errorf("the target: %w", explainPassword(err, to, ErrTargetPassword))
	}
	return db.Close()
}

// explainPassword returns what a server says about a password, as which, and
// every other error as it is.
func explainPassword(err error, rawURL string, which error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == "28P01" { // invalid_password
		return fmt.Errorf("%s: %s: %w", Name(rawURL), said.Message, which)
	}
	return err
}

// resting is a database that nobody else writes to, within one transaction.
type resting struct {
	pool    *sql.DB
	tx      *sql.Tx
	dialect Dialect
}

func (r *resting) close() error {
	return errors.Join(ignoreDone(r.tx.Rollback()), r.pool.Close())
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func openResting(ctx context.Context, rawURL string) (*resting, error) {
	dialect, err := dialectOf(rawURL)
	if err != nil {
		return nil, err
	}
	if dialect == Postgres {
		return restPostgres(ctx, rawURL)
	}
	return restSQLite(ctx, rawURL)
}

func (r *resting) mustBeEmpty(ctx context.Context) error {
	for _, table := range tables() {
		n, err := r.count(ctx, table)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("the target: sqldb: it is in use already (%s has %d rows); "+
				"nothing was copied; name a new database or delete this one first", table, n)
		}
	}
	return nil
}

func (r *resting) count(ctx context.Context, table string) (n int64, err error) {
	if err := r.tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		return 0, fmt.Errorf("sqldb: count %s: %w", table, err)
	}
	return n, nil
}

// recount compares what is on both sides now with what was copied.
func recount(ctx context.Context, source, target *resting, copied []Copied) error {
	for _, c := range copied {
		there, err := source.count(ctx, c.Table)
		if err != nil {
			return err
		}
		here, err := target.count(ctx, c.Table)
		if err != nil {
			return err
		}
		if there != c.Rows || here != c.Rows {
			return fmt.Errorf("sqldb: %s has %d rows in the source and %d in the target; nothing was copied", c.Table, there, here)
		}
	}
	return nil
}

// copyTable copies all rows in pages.
func copyTable(ctx context.Context, source, target *resting, table string) (n int64, err error) {
	columns, kinds, err := target.columns(ctx, table)
	if err != nil {
		return 0, err
	}
	names := strings.Join(columns, ", ")
	rows, err := source.tx.QueryContext(ctx, "SELECT "+names+" FROM "+table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	insert := "INSERT INTO " + table + " (" + names + ") VALUES "
	page := min(copyRows, copyParams/len(columns))
	var args []any
	for rows.Next() {
		row, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return 0, err
		}
		for i, v := range row {
			args = append(args, converted(v, kinds[i]))
		}
		if n++; n%int64(page) == 0 {
			if err := target.insert(ctx, insert, len(columns), args); err != nil {
				return 0, err
			}
			args = args[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return n, target.insert(ctx, insert, len(columns), args)
}

// columns returns the names and the types of a table's columns.
func (r *resting) columns(ctx context.Context, table string) (names, kinds []string, err error) {
	rows, err := r.tx.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range types {
		names, kinds = append(names, t.Name()), append(kinds, t.DatabaseTypeName())
	}
	return names, kinds, rows.Err()
}

func (r *resting) insert(ctx context.Context, insert string, columns int, args []any) error {
	if len(args) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString(insert)
	for i := range args {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	_, err := r.tx.ExecContext(ctx, b.String(), args...)
	return err
}

// converted is a value as a column of this type takes it. SQLite keeps in any
// column whatever was given, PostgreSQL does not.
func converted(v any, kind string) any {
	switch v := v.(type) {
	case int64:
		if kind == "BOOL" {
			return v != 0
		}
	case bool:
		if kind == "INTEGER" && v {
			return int64(1)
		} else if kind == "INTEGER" {
			return int64(0)
		}
	case []byte:
		if kind == "TEXT" {
			return string(v)
		}
		if v == nil { // an empty blob, as SQLite's driver has it
			return []byte{}
		}
	case string:
		if kind == "BYTEA" || kind == "BLOB" {
			return []byte(v)
		}
	}
	return v
}

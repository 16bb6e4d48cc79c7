package sqldb

import (
	"context"
	_ "embed"
	"fmt"
)

//go:embed schema.sql
var schema string

//go:embed migrations/002.sql
var migration2 string

// migrations holds what was released after version 1, in order: entry i brings
// version i+1 to i+2. Append only; a released entry never changes.
var migrations = []string{migration2}

// Latest is the version of the schema that this program speaks.
const Latest = 2

// versioned is a database's schema, within one transaction.
type versioned interface {
	version(ctx context.Context) (int, error) // 0 if there is nothing; an error if it is somebody else's
	apply(ctx context.Context, text string) error
	mark(ctx context.Context, version int) error
}

// migrate brings the database to the last version and returns the one it had.
func migrate(ctx context.Context, v versioned, schema string, migrations []string) (found int, err error) {
	latest := len(migrations) + 1
	found, err = v.version(ctx)
	switch {
	case err != nil:
		return 0, err
	case found == latest:
		return found, nil
	case found > latest:
		return 0, newerError(found, latest)
	case found == 0:
		if err := v.apply(ctx, schema); err != nil {
			return 0, fmt.Errorf("cannot create the tables: %w", err)
		}
	default:
		for i, m := range migrations[found-1:] {
			if err := v.apply(ctx, m); err != nil {
				return 0, fmt.Errorf("migration to version %d: %w", found+i+1, err)
			}
		}
	}
	if err := v.mark(ctx, latest); err != nil {
		return 0, fmt.Errorf("cannot note the schema version: %w", err)
	}
	return found, nil
}

func newerError(found, latest int) error {
	return fmt.Errorf("the database has schema version %d, but this program knows only %d: "+
		"it was used by a newer Trunkline; install that version again or restore the backup "+
		"made before the upgrade", found, latest)
}

// Schema is the whole schema of a new installation in a dialect's words.
func Schema(d Dialect) string {
	if d == Postgres {
		return forPostgres(schema)
	}
	return schema
}

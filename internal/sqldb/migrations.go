package sqldb

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
)

//go:embed schema.sql
var schema string

//go:embed migrations/002.sql
var migration2 string

// applicationID marks the file as ours ("TRNK" in its header), so that a wrong
// path in the configuration never lets us write into another program's data.
const applicationID = 0x54524e4b

// migrations holds what was released after version 1, in order: entry i brings
// version i+1 to i+2. Append only; a released entry never changes.
var migrations = []string{migration2}

// migrate brings the database to the last version in one transaction.
func (db *DB) migrate(ctx context.Context, schema string, migrations []string) error {
	latest := len(migrations) + 1
	return db.Update(ctx, func(tx *sql.Tx) error {
		version, err := currentVersion(ctx, tx)
		switch {
		case err != nil:
			return err
		case version == latest:
			return nil
		case version > latest:
			return fmt.Errorf("the database has schema version %d, but this program knows only %d: "+
				"it was used by a newer Trunkline; install that version again or restore the backup "+
				"made before the upgrade", version, latest)
		case version == 0:
			if _, err := tx.ExecContext(ctx, schema); err != nil {
				return fmt.Errorf("cannot create the tables: %w", err)
			}
		default:
			for i, m := range migrations[version-1:] {
				if _, err := tx.ExecContext(ctx, m); err != nil {
					return fmt.Errorf("migration to version %d: %w", version+i+1, err)
				}
			}
		}
		mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, latest)
		if _, err := tx.ExecContext(ctx, mark); err != nil {
			return fmt.Errorf("cannot note the schema version: %w", err)
		}
		return nil
	})
}

// currentVersion is the schema version in the file, 0 for an empty file.
func currentVersion(ctx context.Context, tx *sql.Tx) (int, error) {
	var app, version, tables int
	for query, dest := range map[string]*int{
		"PRAGMA application_id":              &app,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_master": &tables,
	} {
		if err := tx.QueryRowContext(ctx, query).Scan(dest); err != nil {
			return 0, fmt.Errorf("this is not a database that can be read: %w", err)
		}
	}
	if (tables > 0 || version > 0) && app != applicationID {
		return 0, fmt.Errorf("the file holds another program's database; it was left alone")
	}
	return version, nil
}
